"""`stream_prompts` and `gather_prompts`: many questions, a bounded window, every answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable
from types import TracebackType
from typing import Literal, Self, overload

from vimmerse_async.batch.inputs import size_of
from vimmerse_async.batch.job import BatchJob, Journal, OnResult
from vimmerse_async.batch.run import Run
from vimmerse_async.batch.showing import shown
from vimmerse_async.batch.sinks import ListSink, QueueSink
from vimmerse_async.batch.stopping import HINTS
from vimmerse_async.errors import BatchError, BatchStoppedError, JournalError, VimmerseError
from vimmerse_async.models import ModeLike, OptionLike, PromptOption, PromptRequest, PromptResult
from vimmerse_async.session import VimmerseSession
from vimmerse_async.waiting import finished

Inputs = Iterable[str | PromptRequest] | AsyncIterable[str | PromptRequest]


class PromptStream(AsyncIterator[PromptResult]):
    """The results of a running batch; made by `stream_prompts`.

    The batch runs in a task of its own: whoever enters, reads and leaves may be three tasks.
    """

    def __init__(self, job: BatchJob, *, ordered: bool) -> None:
        self._job = job
        self._sink = QueueSink(ordered=ordered)
        self._task: asyncio.Task[None] | None = None
        self._run: Run | None = None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a stream of prompts runs once; call stream_prompts again")
        self._job.session.gate  # noqa: B018 - says here what is wrong with the session, if anything
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._ask(opened), name="stream_prompts")
        try:
            await asyncio.wait([opened, self._task], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self._end(self._task)
            raise
        if self._run is None:
            await self._task
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is None:
            return
        await self._end(self._task)
        failure = None if self._task.cancelled() else self._task.exception()
        if failure is not None and failure is not error:
            raise failure

    async def _ask(self, opened: "asyncio.Future[None]") -> None:
        try:
            async with self._job.opened(self._sink) as self._run:
                if not opened.done():
                    opened.set_result(None)
                await self._run.work()
        finally:
            self._sink.finish()

    async def _end(self, task: "asyncio.Task[None]") -> None:
        if self._run is None:
            task.cancel()
        else:
            self._run.leave()
        await finished(task)

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
        run.check()
        if run.stopped is not None:
            run.stopped.not_attempted = run.not_attempted
            raise run.stopped
        if run.error is not None:
            raise run.error
        raise StopAsyncIteration

    @property
    def calls(self) -> tuple[int, int | None]:
        """Calls of rows that have ended, and how many may be made in all; None for any number."""
        if self._run is None:
            return 0, None
        return self._run.allowance.calls, self._run.allowance.most

    @property
    def paused(self) -> bool:
        """True while nothing new is sent for now."""
        return self._run is not None and self._run.is_paused

    def pause(self, *, paused: bool = True) -> None:
        """Send nothing new until told otherwise, while what is in flight goes on.

        It takes a journal, which knows where every row is.

        Args:
            paused: False: go on.
        """
        if self._run is not None:
            self._run.pause(paused=paused)

    def allow(self, max_calls: int) -> None:
        """Let so many calls be made in all, instead of what was allowed before."""
        if self._run is not None:
            self._run.allowance.allow(max_calls)

    @property
    def stopping(self) -> bool:
        """True once nothing new is sent: after `stop()`, and when the run ends early by itself."""
        return self._run is not None and self._run.halted

    def stop(self, error: BatchStoppedError | None = None) -> None:
        """Send nothing new; the iteration ends when what is in flight has been delivered.

        Args:
            error: Raised at the end of the iteration; None: it ends as usual.
        """
        if self._run is not None:
            self._run.halt(error)


def stream_prompts(
    session: VimmerseSession,
    inputs: Inputs,
    *,
    option: OptionLike = PromptOption.IMAGE_2_PROMPT,
    prompt: str | None = None,
    mode: ModeLike | None = None,
    ordered: bool = False,
    on_result: OnResult | None = None,
    journal: Journal | None = None,
    dedupe: bool = True,
    max_calls: int | None = None,
    retry_errors: bool | Collection[str] = False,
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
        journal: A path or an open `PromptJournal` in which every result is kept before it is
            delivered, and from which answered questions are answered; None keeps nothing.
        dedupe: True asks each question once, whoever asks it; False each occurrence.
        max_calls: Requests that may be sent, those of repeated attempts included and those that
            were refused with 429 not counted; None for any number.
        retry_errors: True asks again what the journal says was rejected, a list of error class
            names what was rejected with one of these; False what is unfinished only.

    Returns:
        An async context manager that gives an async iterator of `PromptResult`.

    Raises:
        TypeError: `inputs` is one string or not iterable, or `on_result` no plain function.
        InvalidRequestError: An argument cannot be sent with any row. A row that cannot be sent
            fails alone, in its result.
        JournalError: On entering, when the journal cannot be used; at the end of the iteration,
            when it could not be written any more.
        BatchStoppedError: At the end of the iteration, when the run ended early.

    Example:
        >>> async def caption(session, urls):
        ...     async with stream_prompts(session, urls) as results:
        ...         async for result in results:
        ...             print(result.index, result.prompt or result.error)
    """
    job = BatchJob.of(
        session, inputs, option, prompt, mode, on_result, journal, dedupe, max_calls, retry_errors
    )
    return PromptStream(job, ordered=ordered)


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
    journal: Journal | None = ...,
    dedupe: bool = ...,
    max_calls: int | None = ...,
    retry_errors: bool | Collection[str] = ...,
    progress: bool = ...,
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
    journal: Journal | None = ...,
    dedupe: bool = ...,
    max_calls: int | None = ...,
    retry_errors: bool | Collection[str] = ...,
    progress: bool = ...,
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
    journal: Journal | None = None,
    dedupe: bool = True,
    max_calls: int | None = None,
    retry_errors: bool | Collection[str] = False,
    progress: bool = False,
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
        journal: A path or an open `PromptJournal` in which every result is kept before it is
            delivered, and from which answered questions are answered; None keeps nothing.
        dedupe: True asks each question once, whoever asks it; False each occurrence.
        max_calls: Requests that may be sent, those of repeated attempts included and those that
            were refused with 429 not counted; None for any number.
        retry_errors: True asks again what the journal says was rejected, a list of error class
            names what was rejected with one of these; False what is unfinished only.
        progress: True shows a bar, in a terminal or a notebook, with tqdm or else rich.

    Raises:
        ConfigurationError: `progress` is asked for, and neither tqdm nor rich is installed.
        TypeError: `inputs` is one string or not iterable, or `on_result` no plain function.
        InvalidRequestError: An argument cannot be sent with any row.
        JournalError: The journal cannot be used, or not written any more.
        BatchError: Some rows failed; `.results` holds every row.
        BatchStoppedError: The run ended early; `.results` holds the rows so far.

    Example:
        >>> async def caption(session, urls):
        ...     return await gather_prompts(session, urls)
    """
    with contextlib.ExitStack() as stack:
        if progress:
            on_result = stack.enter_context(shown(size_of(inputs), on_result))
        job = BatchJob.of(
            session,
            inputs,
            option,
            prompt,
            mode,
            on_result,
            journal,
            dedupe,
            max_calls,
            retry_errors,
        )
        del inputs, prompt  # trackers of errors keep what frames hold
        results = await _gathered(job)
    if return_exceptions:
        return [row.prompt if row.prompt is not None else _error(row) for row in results]
    if any(row.error is not None for row in results):
        raise BatchError(results=results)
    return [row.prompt for row in results if row.prompt is not None]


async def _gathered(job: BatchJob) -> list[PromptResult]:
    sink = ListSink()
    async with job.opened(sink) as run:
        await run.work()
        run.check()
    results = sink.results()
    _raise_stopped(run, results)
    return results


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
    if isinstance(run.error, JournalError):
        raise run.error
    if run.error is not None:
        raise BatchStoppedError(
            f"the batch stopped: {type(run.error).__name__}: {run.error}",
            reason=run.fault,
            resume_hint=HINTS[run.fault],
            not_attempted=run.not_attempted,
            results=results,
        ) from run.error


def _error(row: PromptResult) -> VimmerseError:
    return row.error or VimmerseError("the row has neither a prompt nor an error")
