"""The rows of a run with a journal: pulled in groups, looked up, and handed on if unanswered.

Two tasks at most work here, however many rows there are: one looks groups up, and for an async
input one awaits its rows meanwhile. What the journal answers goes straight to the reader.
"""

import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from vimmerse_async.batch.identity import (
    ReadRow,
    digest_of,
    digest_of_refused,
    is_repeatable,
)
from vimmerse_async.batch.pipeline import Pipeline
from vimmerse_async.batch.plan import BatchPlan
from vimmerse_async.batch.row import Row
from vimmerse_async.batch.source import RowSource
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.journal import PromptJournal
from vimmerse_async.journal.records import Finding, rebuilt
from vimmerse_async.models import PromptResult

AHEAD = 16
"""Rows that are pulled beyond the window."""
GROUP = 256
"""Rows that are looked up at once."""
ENOUGH = 8
"""Rows that there must be room for before more are pulled while others wait to be asked."""
_numbers = itertools.count(1)


class Intake:
    """Hands out the rows of a source that the journal does not answer.

    Args:
        source: The rows.
        plan: How they are asked.
        journal: What answers them.
        pipeline: Takes what is answered or refused, and tells what is under way.
    """

    def __init__(
        self, source: RowSource, plan: BatchPlan, journal: PromptJournal, pipeline: Pipeline
    ) -> None:
        self._source = source
        self._plan = plan
        self._journal = journal
        self._pipeline = pipeline
        self._changed = pipeline.changed
        self._counter = f"run_{next(_numbers)}"  # an id() comes again when its object is gone
        self._pulled: deque[Row] = deque()
        self._ready: deque[Row] = deque()
        self._looked = False
        self._halted = False

    @property
    def is_async(self) -> bool:
        """True while the next row has to be awaited: no permit is to wait for it."""
        return not self._ready

    @property
    def error(self) -> Exception | None:
        """What the input raised; None when it did not."""
        return self._source.error

    @property
    def taken(self) -> int:
        """Rows pulled so far."""
        return self._source.taken

    @property
    def never_taken(self) -> int:
        """Rows of a sized input that were never pulled."""
        return self._source.never_taken

    @property
    def ended(self) -> bool:
        """True when there are no more rows."""
        return self._looked and not self._ready

    def has_room(self, pipeline: Pipeline) -> bool:
        """Return whether there may be another row, and reader and disk keep up."""
        return (not self._looked or bool(self._ready)) and self._may_begin(pipeline)

    async def room(self, pipeline: Pipeline) -> bool:
        """Wait until another row may be begun; False when there are no more or others suffice."""
        while not self._looked or self._ready:
            if self._may_begin(pipeline):
                return True
            if pipeline.pool.working - pipeline.in_flight > 1:
                return False  # one that waits is enough: it will see to it that there are others
            await self._changed.wait()
        return False

    def take(self) -> Row | None:
        """Return the next row to be asked, if it is there already."""
        return self._ready.popleft() if self._ready else None

    async def take_later(self) -> Row | None:
        """Await the next row to be asked; None when there is none."""
        while not self._ready:
            if self._looked:
                return None
            await self._changed.wait()
        return self._ready.popleft()

    def give_back(self, row: Row) -> None:
        """Take a row back; it is the next to be handed out."""
        self._ready.appendleft(row)

    def end(self) -> None:
        """Hand out nothing more."""
        self._halted = True
        self._source.end()
        self._ready.clear()
        self._changed.notify_all()

    async def close(self) -> None:
        """Let a generator run its `finally` blocks."""
        await self._source.close()

    def background(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Return what has to run meanwhile, in a task of its own each."""
        return (self.look_up, self.fetch) if self._source.is_async else (self.look_up,)

    async def fetch(self) -> None:
        """Await the rows of an async input, as far ahead as is allowed."""
        source = self._source
        async with source.at_home():
            while not source.ended:
                if self._space() < 1:
                    await self._changed.wait()
                elif (row := await source.pull()) is not None:
                    self._pulled.append(row)
                    self._changed.notify_all()
            self._changed.notify_all()

    async def look_up(self) -> None:
        """Pull groups of rows and look them up until there are no more."""
        try:
            while group := await self._group():
                await self._sort(group)
        finally:
            self._looked = True
            self._changed.notify_all()

    async def _group(self) -> list[Row]:
        source = self._source
        while not self._halted:
            if source.is_async:
                if self._pulled:
                    return [self._pulled.popleft() for _ in range(min(GROUP, len(self._pulled)))]
                if source.ended:
                    break
            else:
                space = self._space()
                if space >= (ENOUGH if self._ready else 1):
                    return self._taken(min(space, GROUP))
            await self._changed.wait()
        return []

    def _taken(self, count: int) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < count and (row := self._source.take()) is not None:
            rows.append(row)
        return rows

    def _may_begin(self, pipeline: Pipeline) -> bool:
        under_way = pipeline.in_flight + self._source.sink.unread
        return under_way <= pipeline.size and not pipeline.is_behind()

    def _space(self) -> int:
        pipeline, sink = self._pipeline, self._source.sink
        window, begun = pipeline.allowed(), self._source.taken - pipeline.recorded
        unfinished = window + AHEAD - (begun - pipeline.delivered)
        return min(unfinished, sink.space(window, AHEAD, begun))

    async def _sort(self, group: list[Row]) -> None:
        rows = [row for row in group if self._prepared(row)]
        await self._number([row for row in rows if row.question is None])
        leaders = [row for row in rows if self._pipeline.sharing.claim(row)]
        if not leaders:
            return
        questions = [cast("bytes", row.question) for row in leaders]
        known = await self._known(questions)
        for row, question in zip(leaders, questions, strict=True):
            finding = known.get(question)
            if finding is not None:
                error = rebuilt(finding)
                result = PromptResult(row.index, row.item, finding[1], error, cached=True)
                self._pipeline.know(row, result)
            elif not self._halted:
                self._ready.append(row)
        self._changed.notify_all()

    async def _known(self, questions: list[bytes]) -> dict[bytes, Finding]:
        """Return what is known for good; what is rejected is asked again once in a run at most."""
        journal, policy = self._journal, self._plan.policy
        found = await journal.find(questions)
        known = {each: finding for each, finding in found.items() if policy.is_final(finding)}
        again = [each for each in found.keys() - known.keys() if found[each][0] == "rejected"]
        if again:
            counts = await journal.count(f"{self._counter}_again", again)
            known |= {each: found[each] for each, count in zip(again, counts, strict=True) if count}
        return known

    def _prepared(self, row: Row) -> bool:
        item = row.item
        if type(item) is ReadRow and self._plan.policy.dedupe:
            row.call, row.question = item.call, item.question
            return True
        try:
            row.call = self._plan.read(item)
        except InvalidRequestError as error:
            row.question = digest_of_refused(row.item)
            result = PromptResult(row.index, row.item, error=error.at(row.index))
            self._pipeline.record(row, result)
            return False
        if self._plan.policy.dedupe and not is_repeatable(row.item):
            row.question = digest_of(row.item, row.call)
        return True

    async def _number(self, rows: list[Row]) -> None:
        """Give rows that are asked at each occurrence their identities."""
        if not rows:
            return
        plain = [digest_of(row.item, row.call) for row in rows if row.call is not None]
        counts = await self._journal.count(self._counter, plain)
        for row, count in zip(rows, counts, strict=True):
            if row.call is not None:
                row.question = digest_of(row.item, row.call, count)
