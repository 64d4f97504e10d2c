"""Everything at once for an hour, to see that nothing grows and nothing slows down.

    python -m benchmarks.soak [--rounds 60] [--seconds 60] [--seed N]

A server that fails in many ways is asked by calls, by batches with journals, and by sessions that
come and go; all of them are cancelled, left or closed at random moments. After each round, when
nothing runs, it is counted what is left. It ends with 1 when something grew, hung or complained.
"""

import argparse
import asyncio
import gc
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.clients import KEY, url
from benchmarks.faulty_server import FAULTS, faulty_server
from benchmarks.report import Result
from vimmerse_async import (
    BatchError,
    JournalReader,
    RetryPolicy,
    Timeouts,
    VimmerseError,
    VimmerseSession,
    gather_prompts,
    image_2_prompt,
    stream_prompts,
)
from vimmerse_async.control import FixedLimit

MINUTES = 60
WINDOW = 24
ROWS = 400
"""Questions of one batch."""
STEADY = 0.95
"""Answers a yard of CPU in the last tenth of the rounds, as a share of those of the first."""
YARD = [
    {"url": url(number), "answer": f"about {number}", "spent": number / 7} for number in range(9)
]
"""What is written and read as JSON, twenty times, to measure the machine."""
PACES = {
    "answers/s": "seconds",
    "answers a second of CPU": "cpu",
    "answers for the same work of the CPU": "yards",
}
LONG = 20
"""Rounds of which that is asked: of fewer the mixture of work still differs."""
GROWTH = 8.0
"""Megabytes that the interpreter's own heap may move between two rounds."""
RETRY = RetryPolicy(backoff_base=0.02, backoff_cap=0.2)
TIMEOUTS = Timeouts(attempt=1.0)


@attrs.frozen
class Left:
    """What is there when nothing runs.

    Attributes:
        rows: Answers of the round before.
        seconds: How long it took.
        cpu: Seconds of processor time that it took.
        yards: The same, in times of a piece of work that is always the same: on a busy machine a
            second of processor time does less.
        megabytes: Resident memory.
        files: Open descriptors that are no sockets.
        sockets: Those that are.
        threads, tasks, timers: As many.
    """

    rows: int
    seconds: float
    cpu: float
    yards: float
    megabytes: float
    files: int
    sockets: int
    threads: int
    tasks: int
    timers: int


class Soak:
    """The actors, and what they did.

    Args:
        session: One session that is open all the time.
        origin: The server.
        folder: Where journals go.
        rng: Chance.

    Attributes:
        done: How often what was done.
        faults: What must not be.
    """

    def __init__(
        self, session: VimmerseSession, origin: str, folder: Path, rng: random.Random
    ) -> None:
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._session = session
        self._origin = origin
        self._folder = folder
        self._rng = rng
        self._next = 0
        self._end = 0.0
        self._yards: list[float] = []

    async def round(self, seconds: float) -> Left:
        """Let everybody act for a while, and look at what is left."""
        loop = asyncio.get_running_loop()
        rows, begun, used = self.done["answers"], loop.time(), time.process_time()
        self._end = begun + seconds
        actors: list[Callable[[], Awaitable[None]]] = [self._call] * 4
        actors += [self._finished, self._broken_off, self._comes_and_goes, self._measure]
        self._yards.clear()
        async with asyncio.TaskGroup() as group:
            for actor in actors:
                group.create_task(self._again(actor))
        took, used = loop.time() - begun, time.process_time() - used
        await asyncio.sleep(0.2)
        gc.collect()
        yards = used / statistics.fmean(self._yards)
        return left(self.done["answers"] - rows, took, used, yards)

    async def _again(self, actor: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < self._end:
            try:
                async with asyncio.timeout(120):
                    await actor()
            except TimeoutError:
                self.faults.append(f"{actor.__name__} hung for two minutes")
            except Exception as error:  # noqa: BLE001 - reported in the end
                self.faults.append(f"{actor.__name__}: {type(error).__name__}: {error}"[:300])

    async def _call(self) -> None:
        for _ in range(20):
            call = asyncio.create_task(self._ask())
            if self._rng.random() < 0.1:
                await self._turns(12)
                call.cancel()
                self.done["calls cancelled"] += 1
            await asyncio.wait([call])

    async def _ask(self) -> None:
        timeout = 0.001 if self._rng.random() < 0.01 else None
        self.done["calls"] += 1
        try:
            await image_2_prompt(self._session, self._url(), timeout=timeout)
        except VimmerseError as error:
            self.done[type(error).__name__] += 1
        else:
            self.done["answers"] += 1

    async def _finished(self) -> None:
        """Gather a batch, without a journal."""
        urls = [self._url() for _ in range(ROWS)]
        answers = await gather_prompts(self._session, urls, return_exceptions=True)
        self.done["answers"] += sum(isinstance(each, str) for each in answers)
        self.done["batches"] += 1
        if len(answers) != ROWS:
            self.faults.append(f"a batch of {ROWS} rows gave {len(answers)}")

    async def _broken_off(self) -> None:
        """Break a batch with a journal off some times, in some way, and go on until it is whole."""
        urls = [self._url() for _ in range(ROWS)]
        path = self._folder / f"{self._next}.db"
        self.done["journals"] += 1
        for _ in range(self._rng.randrange(4)):
            way = self._rng.choice([self._left, self._stopped, self._cancelled])
            self.done[way.__name__.strip("_")] += 1
            await way(urls, path)
        for _ in range(9):
            try:
                await gather_prompts(self._session, urls, journal=path)
                break
            except BatchError as error:
                if all(type(row.error).__name__ == "NotFoundError" for row in error.failures):
                    break
        with JournalReader(path) as journal:
            counts = journal.counts()
        self.done["answers"] += counts["answered"]
        if sum(counts.values()) != ROWS or counts["unfinished"]:
            self.faults.append(f"a journal of {ROWS} rows holds {counts}")
        for each in self._folder.iterdir():
            each.unlink()

    async def _left(self, urls: Sequence[str], path: Path) -> None:
        most = self._rng.randrange(ROWS)
        async with stream_prompts(self._session, urls, journal=path) as results:
            async for result in results:
                if result.index >= most:
                    break

    async def _stopped(self, urls: Sequence[str], path: Path) -> None:
        async with stream_prompts(self._session, urls, journal=path) as results:
            async for result in results:
                if result.index == 9:
                    results.stop()

    async def _cancelled(self, urls: Sequence[str], path: Path) -> None:
        batch = asyncio.create_task(
            gather_prompts(self._session, urls, journal=path, return_exceptions=True)
        )
        if self._rng.random() < 0.5:
            await self._turns(40)
        else:
            await asyncio.sleep(self._rng.random() * 0.1)
        batch.cancel()
        await asyncio.wait([batch])
        if not batch.cancelled():
            batch.result()

    async def _comes_and_goes(self) -> None:
        """Open a session, and close it while it works."""
        async with VimmerseSession(
            KEY, base_url=self._origin, limit=FixedLimit(4), retry=RETRY, timeouts=TIMEOUTS
        ) as session:
            calls = [asyncio.create_task(image_2_prompt(session, self._url())) for _ in range(12)]
            await asyncio.sleep(self._rng.random() * 0.02)
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            self.done["answers" if isinstance(outcome, str) else "calls of closed sessions"] += 1
            if isinstance(outcome, BaseException) and not isinstance(outcome, VimmerseError):
                self.faults.append(f"a closed session's call: {outcome!r}")
        self.done["sessions"] += 1

    async def _measure(self) -> None:
        """Do the piece of work that tells how much a second of processor time does now."""
        begun = time.thread_time()
        for _ in range(20):
            json.loads(json.dumps(YARD))
        self._yards.append(time.thread_time() - begun)
        await asyncio.sleep(0.1)

    async def _turns(self, most: int) -> None:
        for _ in range(self._rng.randrange(most)):
            await asyncio.sleep(0)

    def _url(self) -> str:
        self._next += 1
        return url(self._next)


def left(rows: int, seconds: float, cpu: float, yards: float) -> Left:
    """Count what is there now."""
    kinds = Counter(_kind(each) for each in Path("/proc/self/fd").iterdir())
    timers = getattr(asyncio.get_running_loop(), "_scheduled", ())
    return Left(
        rows=rows,
        seconds=seconds,
        cpu=cpu,
        yards=yards,
        megabytes=_megabytes(),
        files=kinds["file"],
        sockets=kinds["socket"],
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
        timers=sum(not timer.cancelled() for timer in timers),
    )


def _kind(descriptor: Path) -> str:
    try:
        return "socket" if descriptor.readlink().name.startswith("socket:") else "file"
    except OSError:
        return "gone"


def _megabytes() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


@contextmanager
def _complaints(faults: list[str]) -> Iterator[None]:
    """Take down what threads and the loop complain of."""
    before = threading.excepthook
    threading.excepthook = lambda args: faults.append(f"in a thread: {args.exc_value!r}")
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: faults.append(f"{context['message']}: {context.get('exception')!r}")
    )
    try:
        yield
    finally:
        threading.excepthook = before


@asynccontextmanager
async def _soak(origin: str, seed: int) -> AsyncIterator[Soak]:
    with tempfile.TemporaryDirectory() as folder:
        async with VimmerseSession(
            KEY, base_url=origin, limit=WINDOW, retry=RETRY, timeouts=TIMEOUTS
        ) as session:
            soak = Soak(session, origin, Path(folder), random.Random(seed))
            with _complaints(soak.faults):
                yield soak


async def soaked(
    origin: str, rounds: int, seconds: float, seed: int, tell: Callable[[int, Left], object]
) -> tuple[list[Left], dict[str, int], list[str]]:
    """Run the rounds; return what was left after each, what was done, and what must not be."""
    async with _soak(origin, seed) as soak:
        await soak.round(seconds / 4)  # pools fill, modules load
        found = []
        for number in range(rounds):
            found.append(await soak.round(seconds))
            tell(number, found[-1])
            if soak.faults:
                break
    return found, dict(soak.done), soak.faults + grown(found)


def grown(found: Sequence[Left]) -> list[str]:
    """Return in words what there is more of after the last rounds than after the first."""
    some = max(1, len(found) // 10)
    first, last = found[:some], found[-some:]
    tolerated = {"megabytes": GROWTH, "sockets": WINDOW, "files": 0, "threads": 0, "tasks": 0,
                 "timers": 2}  # fmt: skip
    words = []
    for name, more in tolerated.items():
        before = max(getattr(each, name) for each in first)
        after = min(getattr(each, name) for each in last)
        if after > before + more:
            words.append(f"{name} grew from {before:g} to {after:g}")
    return words


def pace(found: Sequence[Left], per: str) -> tuple[float, float]:
    """Return the answers a second of the first and of the last tenth of the rounds.

    Args:
        found: The rounds.
        per: "seconds", which tell of the whole machine, "cpu", which tells of this process, or
            "yards", which do so however busy the machine is.
    """
    some = max(1, len(found) // 10)
    first, last = (
        sum(each.rows for each in part) / sum(getattr(each, per) for each in part)
        for part in (found[:some], found[-some:])
    )
    return first, last


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Soak in a process of its own; a round is a minute."""
    minutes = rounds or (1 if quick else MINUTES)
    command = [sys.executable, "-m", "benchmarks.soak", "--rounds", str(minutes)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout.strip() or "it broke off")
    said: dict[str, Any] = json.loads(done.stdout)
    found = [Left(**each) for each in said["left"]]
    rows = [[name, *(f"{value:,.2f}" for value in pace(found, per))] for name, per in PACES.items()]
    rows += [
        [name, f"{getattr(found[0], name):g}", f"{getattr(found[-1], name):g}"]
        for name in ("megabytes", "files", "sockets", "threads", "tasks", "timers")
    ]
    did = ", ".join(f"{count:,} {name}" for name, count in sorted(said["done"].items()))
    return Result(
        title="Soak",
        text=(
            f"{minutes} minutes of calls, of batches with journals that are left, stopped, "
            "cancelled and gone on with, and of sessions that come and go, against a server that "
            f"fails in {len(FAULTS)} ways; counted after each minute, when nothing runs. Done: "
            f"{did}."
        ),
        header=("what", "after the first minute", "after the last"),
        rows=rows,
        figures={
            f"last/first answers per {per}": after / before
            for per in PACES.values()
            for before, after in [pace(found, per)]
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=MINUTES)
    parser.add_argument("--seconds", type=float, default=60.0, help="of a round")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()

    def tell(number: int, now: Left) -> None:
        each = ", ".join(f"{name} {value:g}" for name, value in attrs.asdict(now).items())
        print(f"  {number + 1} of {given.rounds}: {each}", file=sys.stderr, flush=True)

    print(f"  seed {given.seed}", file=sys.stderr)
    with faulty_server() as origin:
        found, done, faults = asyncio.run(
            soaked(origin, given.rounds, given.seconds, given.seed, tell)
        )
    before, after = pace(found, "yards")
    if given.rounds >= LONG and after < STEADY * before:
        faults.append(f"answers for the same work of the CPU fell from {before:g} to {after:g}")
    if faults:
        raise SystemExit("\n".join(faults))
    print(json.dumps({"left": [attrs.asdict(each) for each in found], "done": done}))


if __name__ == "__main__":
    main()
