"""Ray Data: caption a dataset that is larger than one machine.

Every actor has one session, and all of them one limit and one queue, which a named actor of the run
keeps; while that is away each goes on with its part of what was learned. An actor holds `window`
rows at a time and hands them back in small blocks, so that its death repeats those rows at most.
Blocks come in exactly that size: every task costs Ray milliseconds, however few rows it has.
"""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import attrs

from vimmerse_async.batch.calls import template_of
from vimmerse_async.batch.engine import stream_prompts
from vimmerse_async.errors import BatchStoppedError
from vimmerse_async.models import ModeLike, OptionLike, PromptOption
from vimmerse_async.options import check_number
from vimmerse_async.session import VimmerseSession
from vimmerse_async.sharing.actor import RayMeeting

BLOCKS = 4
"""Blocks that an actor works on at a time: the end of one overlaps with the middle of others."""


class RayDataset(Protocol):
    """What is needed of `ray.data.Dataset`."""

    def repartition(self, *, target_num_rows_per_block: int, strict: bool) -> Any:
        """Return the dataset in blocks of so many rows; strictly: smaller blocks are joined."""
        ...


DatasetT = TypeVar("DatasetT", bound=RayDataset)


@attrs.frozen
class Task:
    """What every actor is told.

    Attributes:
        column, prompt_column, error_column: Names.
        window: Rows in flight at most.
        share: Where the actors of this run meet.
        strings: What the column's strings ask for, as `stream_prompts` takes it.
        session: Arguments of the session.
    """

    column: str
    prompt_column: str
    error_column: str
    window: int
    share: RayMeeting
    strings: Mapping[str, Any]
    session: Mapping[str, Any] = attrs.field(repr=False)


class Captioner:
    """An actor's work: one session for all blocks that it is given.

    Attributes:
        session: Opened when the first block comes, in the actor's loop.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        options: dict[str, Any] = {"share": task.share, **task.session}
        self.session: VimmerseSession = VimmerseSession(**options)
        self._opening = asyncio.Lock()
        self._entered = False
        self._stopped: BatchStoppedError | None = None

    async def __call__(self, block: Any) -> Any:
        """Return the block, a `pyarrow.Table`, with a prompt and an error column."""
        import pyarrow as pa  # noqa: PLC0415 - comes with Ray

        self._check(block.column_names)
        async with self._opening:  # blocks come at once, and each needs it open
            if not self._entered:
                await self.session.__aenter__()
                self._entered = True
                if "limit" not in self._task.session:
                    limit = self.session.gate.limit
                    limit.cap = min(limit.cap, self._task.window)
        prompts, errors = await self._ask(block.column(self._task.column).to_pylist())
        for name, values in (
            (self._task.prompt_column, prompts),
            (self._task.error_column, errors),
        ):
            block = block.append_column(name, pa.array(values, pa.string()))
        return block

    async def _ask(self, rows: list[Any]) -> tuple[list[str | None], list[str | None]]:
        prompts: list[str | None] = [None] * len(rows)
        errors: list[str | None] = [None] * len(rows)
        asked = [False] * len(rows)
        if self._stopped is None:
            try:
                async with stream_prompts(self.session, rows, **self._task.strings) as results:
                    async for result in results:
                        asked[result.index] = True
                        prompts[result.index] = result.prompt
                        errors[result.index] = None if result.ok else str(result.error)
            except BatchStoppedError as stopped:
                self._stopped = stopped
        return prompts, [
            error if done else f"not asked: {self._stopped}"
            for done, error in zip(asked, errors, strict=True)
        ]

    def _check(self, columns: list[str]) -> None:
        task = self._task
        if task.column not in columns:
            raise ValueError(f"there is no column {task.column!r}, only {', '.join(columns)}")
        for name in (task.prompt_column, task.error_column):
            if name in columns:
                raise ValueError(
                    f"there is a column {name!r} already; name another one with "
                    "prompt_column= or error_column="
                )


def caption_dataset(
    ds: DatasetT,
    *,
    column: str,
    actors: int | tuple[int, int] = 1,
    window: int = 1024,
    option: OptionLike = PromptOption.IMAGE_2_PROMPT,
    prompt: str | None = None,
    mode: ModeLike | None = None,
    prompt_column: str = "prompt",
    error_column: str = "error",
    session_options: Mapping[str, Any] | None = None,
    num_cpus: float = 0,
) -> DatasetT:
    """Return a Ray dataset with a prompt or an error for each row; nothing runs before it is read.

    A row never raises. When the account stops a run (key, credits, permissions, an outage), the
    rows not asked say so in their error, and can be asked in a later run.

    Args:
        ds: A `ray.data.Dataset`.
        column: The column with image URLs, or with `REFINE_PROMPT` texts.
        actors: Processes that ask; a pair: between so many and so many.
        window: Rows that an actor holds at a time: the most it has in flight, and the most that
            are asked again when it dies. A machine that dies loses also what was not written yet.
        option: What the column's strings ask for: `IMAGE_2_PROMPT` or `REFINE_PROMPT`.
        prompt: A text to start from, for all rows, which are image URLs then; None for none.
        mode: What the prompts are for; None leaves it to the server.
        prompt_column: The new column of answers; null where there is none.
        error_column: The new column of reasons; null where there is an answer.
        session_options: Arguments for each actor's `VimmerseSession`; None: the environment of the
            cluster's nodes has the key. They travel through Ray: keep the key out of them.
        num_cpus: What an actor takes of a node's CPUs, for Ray's planning. It waits for a server
            nearly all the time; a part of a CPU that it took would be missed by tasks of Ray's that
            need a whole one, such as the filter of finished rows, and both may wait for ever.

    Raises:
        InvalidRequestError: An argument cannot be sent with any row.
        ConfigurationError: `window` is no whole number above zero.

    Example:
        >>> def caption(source: str, target: str) -> None:
        ...     import ray
        ...
        ...     ds = ray.data.read_parquet(source)
        ...     ds = caption_dataset(ds, column="image", actors=4)
        ...     ds.write_parquet(target, min_rows_per_file=10_000)
    """
    from ray.data import (  # pyright: ignore[reportMissingImports]  # noqa: PLC0415 - an extra
        ActorPoolStrategy,
    )

    check_number("window", window, least=1, whole=True)
    template_of(option, prompt, mode)
    least, most = actors if isinstance(actors, tuple) else (actors, actors)
    blocks = min(BLOCKS, window)
    task = Task(
        column,
        prompt_column,
        error_column,
        window,
        RayMeeting(f"vimmerse-limit-{uuid.uuid4().hex}"),
        {"option": option, "prompt": prompt, "mode": mode},
        dict(session_options or {}),
    )
    captioned: DatasetT = ds.repartition(
        target_num_rows_per_block=window // blocks, strict=True
    ).map_batches(
        Captioner,
        fn_constructor_args=(task,),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(
            min_size=least,
            max_size=most,
            max_tasks_in_flight_per_actor=blocks,
            max_concurrent_calls_per_actor=blocks,
        ),
        num_cpus=num_cpus,
    )
    return captioned
