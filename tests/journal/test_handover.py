"""What the loop hands to the journal's thread: a commit's worth at once, and nothing for long."""

import asyncio

import virtual_time

from vimmerse_async.journal.commits import JournalEntry
from vimmerse_async.journal.handover import LINGER, MOST, Handover


def _done(_: object) -> None:
    """Take the word of the disk."""


def _entries(count: int) -> list[JournalEntry]:
    return [JournalEntry("results", (number,), _done) for number in range(count)]


def test_results_are_handed_over_together_and_none_waits_for_long() -> None:
    """As many as are expected go at once, the others when they have waited, all in their order."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        taken: list[list[JournalEntry]] = []
        handover = Handover(loop, taken.append)
        handover.expect(10)
        entries = _entries(25)
        for entry in entries:
            handover.put(entry)
        assert list(map(len, taken)) == [10, 10]
        begun = loop.time()
        while len(taken) < 3:  # noqa: ASYNC110 - a callback that nobody tells of
            await asyncio.sleep(LINGER / 4)
        assert loop.time() - begun <= 1.5 * LINGER
        assert [entry for group in taken for entry in group] == entries

    virtual_time.run(main())


def test_what_nobody_waits_for_goes_at_once_behind_what_came_before() -> None:
    """An order to the database overtakes nothing and is not held back."""

    async def main() -> None:
        taken: list[list[JournalEntry]] = []
        handover = Handover(asyncio.get_running_loop(), taken.append)
        handover.expect(10 * MOST)
        first, order = *_entries(1), JournalEntry("SELECT 1")
        handover.put(first)
        assert not taken
        handover.put(order)
        assert taken == [[first, order]]
        handover.flush()
        assert len(taken) == 1
        for entry in _entries(MOST):
            handover.put(entry)
        assert len(taken[1]) == MOST

    virtual_time.run(main())
