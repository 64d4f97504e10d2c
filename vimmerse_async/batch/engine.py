"""`stream_prompts` and `gather_prompts`: many questions, a bounded window, every answer."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, overload

import anyio

from vimmerse_async.batch.rows import check_inputs, row_reader
from vimmerse_async.batch.run import HINTS, Run
from vimmerse_async.batch.sinks import ListSink, QueueSink
from vimmerse_async.batch.source import Source
from vimmerse_async.errors import BatchError, BatchStoppedError, VimmerseError
from vimmerse_async.models import ModeLike, OptionLike, PromptOption, PromptRequest, PromptResult
from vimmerse_async.session import VimmerseSession

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

Inputs = Iterable[str | PromptRequest] | AsyncIterable[str | PromptRequest]
OnResult = Callable[[PromptResult], object]


class PromptStream(AsyncIterator[PromptResult]):
    """The results of a running batch; made by `stream_prompts`."""

    def __init__(
        self,
        session: VimmerseSession,
        inputs: Inputs,
        *,
        option: OptionLike,
        prompt: str | None,
        mode: ModeLike | None,
        ordered: bool,
        on_result: OnResult | None,
    ) -> None:
        check_inputs(inputs, on_result)
        self._session = session
        self._inputs = inputs
        self._read = row_reader(option, prompt, mode)
        self._sink = QueueSink(ordered=ordered)
        self._on_result = on_result
        self._tasks: TaskGroup | None = None
        self._run: Run | None = None

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise RuntimeError("a stream of prompts runs once; call stream_prompts again")
        run = Run(self._session, Source(self._inputs), self._read, self._sink, self._on_result)
        self._tasks = await anyio.create_task_group().__aenter__()
        run.start(self._tasks)
        self._run = run
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tasks is None or self._run is None:
            return
        self._run.halt()
        self._tasks.cancel_scope.cancel()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._run.close()

    def __aiter__(self) -> Self:
        if self._run is None:
            raise TypeError(
                "a stream of prompts runs inside `async with`:\n"
                "    async with stream_prompts(session, inputs) as results:\n"
                "        async for result in results:\n"
                "            …"
            )
        return self

    async def __anext__(self) -> PromptResult:
        run = self.__aiter__()._run  # noqa: SLF001 - its own
        result = await self._sink.get()
        if result is not None:
            return result
        assert run is not None  # noqa: S101 - __aiter__ has seen to it
        if run.stopped is not None:
            run.stopped.not_attempted = run.not_attempted
            raise run.stopped
        if run.error is not None:
            raise run.error
        raise StopAsyncIteration

    def stop(self) -> None:
        """Send nothing new; the iteration ends when what is in flight has been delivered."""
        if self._run is not None:
            self._run.halt()


def stream_prompts(
    session: VimmerseSession,
    inputs: Inputs,
    *,
    option: OptionLike = PromptOption.IMAGE_2_PROMPT,
    prompt: str | None = None,
    mode: ModeLike | None = None,
    ordered: bool = False,
    on_result: OnResult | None = None,
) -> PromptStream:
    """Ask any number of questions and read the results as they come, in flat memory.

    Leaving the `async with` block early cancels what is in flight; `results.stop()` lets it end.

    Args:
        session: An open session.
        inputs: Any iterable or async iterable of strings or `PromptRequest`s, of any length. A
            string is an image URL, or with `REFINE_PROMPT` a text.
        option: What strings ask for: `IMAGE_2_PROMPT` or `REFINE_PROMPT`.
        prompt: A text to start from, for all strings, which are image URLs then; None for none.
        mode: What the prompts are for, for all strings; None leaves it to the server.
        ordered: True gives results in input order; False as they come.
        on_result: A plain function called with each result before it is delivered; what it
            raises ends the run. None for nobody.

    Returns:
        An async context manager that gives an async iterator of `PromptResult`.

    Raises:
        TypeError: `inputs` is one string or not iterable, or `on_result` no plain function.
        InvalidRequestError: An argument cannot be sent with any row. A row that cannot be sent
            fails alone, in its result.
        BatchStoppedError: At the end of the iteration, when the run ended early.

    Example:
        >>> async def caption(session, urls):
        ...     async with stream_prompts(session, urls) as results:
        ...         async for result in results:
        ...             print(result.index, result.prompt or result.error)
    """
    return PromptStream(
        session,
        inputs,
        option=option,
        prompt=prompt,
        mode=mode,
        ordered=ordered,
        on_result=on_result,
    )


@overload
async def gather_prompts(
    session: VimmerseSession,
    inputs: Inputs,
    *,
    option: OptionLike = ...,
    prompt: str | None = ...,
    mode: ModeLike | None = ...,
    return_exceptions: Literal[False] = ...,
    on_result: OnResult | None = ...,
) -> list[str]: ...
@overload
async def gather_prompts(
    session: VimmerseSession,
    inputs: Inputs,
    *,
    option: OptionLike = ...,
    prompt: str | None = ...,
    mode: ModeLike | None = ...,
    return_exceptions: Literal[True],
    on_result: OnResult | None = ...,
) -> list[str | VimmerseError]: ...


async def gather_prompts(
    session: VimmerseSession,
    inputs: Inputs,
    *,
    option: OptionLike = PromptOption.IMAGE_2_PROMPT,
    prompt: str | None = None,
    mode: ModeLike | None = None,
    return_exceptions: bool = False,
    on_result: OnResult | None = None,
) -> list[str] | list[str | VimmerseError]:
    """Ask all questions and return all answers, in input order.

    Every row is tried, whatever becomes of the others.

    Args:
        session: An open session.
        inputs: Any iterable or async iterable of strings or `PromptRequest`s. A string is an
            image URL, or with `REFINE_PROMPT` a text.
        option: What strings ask for: `IMAGE_2_PROMPT` or `REFINE_PROMPT`.
        prompt: A text to start from, for all strings, which are image URLs then; None for none.
        mode: What the prompts are for, for all strings; None leaves it to the server.
        return_exceptions: True puts a failed row's error into its place.
        on_result: A plain function called with each result as it comes; what it raises ends the
            run. None for nobody.

    Raises:
        TypeError: `inputs` is one string or not iterable, or `on_result` no plain function.
        InvalidRequestError: An argument cannot be sent with any row.
        BatchError: Some rows failed; `.results` holds every row.
        BatchStoppedError: The run ended early; `.results` holds the rows so far.

    Example:
        >>> async def caption(session, urls):
        ...     return await gather_prompts(session, urls)
    """
    check_inputs(inputs, on_result)
    sink = ListSink()
    run = Run(session, Source(inputs), row_reader(option, prompt, mode), sink, on_result)
    try:
        async with anyio.create_task_group() as tasks:
            run.start(tasks)
    finally:
        with anyio.CancelScope(shield=True):
            await run.close()
    results = sink.results()
    _raise_stopped(run, results)
    if return_exceptions:
        return [row.prompt if row.prompt is not None else _error(row) for row in results]
    if any(row.error is not None for row in results):
        raise BatchError(results=results)
    return [row.prompt for row in results if row.prompt is not None]


def _raise_stopped(run: Run, results: list[PromptResult]) -> None:
    if run.stopped is not None:
        raise BatchStoppedError(
            run.stopped.message,
            reason=run.stopped.reason,
            resume_hint=run.stopped.resume_hint,
            resume_after=run.stopped.resume_after,
            not_attempted=run.not_attempted,
            results=results,
        )
    if run.error is not None:
        raise BatchStoppedError(
            f"the batch stopped: {type(run.error).__name__}: {run.error}",
            reason="input",
            resume_hint=HINTS["input"],
            not_attempted=run.not_attempted,
            results=results,
        ) from run.error


def _error(row: PromptResult) -> VimmerseError:
    return row.error or VimmerseError("the row has neither a prompt nor an error")
