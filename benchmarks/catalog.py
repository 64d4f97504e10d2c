"""CPU of a row of `vimmerse caption`, CSV to CSV with its journal, first asked and then known.

Beside it the same command as it was, in a work tree of its own, a plain `stream_prompts`, and the
script that people write by hand. Each round measures all of them once, in a new order.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.report import Result
from benchmarks.rounds import quartiles

ROOT = Path(__file__).parents[1]
BEFORE = "8e38dc2"
"""The commit that the command is compared with."""
OWN, OLD, PLAIN, SCRIPT = (
    "vimmerse caption", f"the same at {BEFORE}", "stream_prompts, no catalog",
    "csv + aiohttp + sqlite3",
)  # fmt: skip
_COMMAND = "from vimmerse_async.cli import main; main()"
_STREAM = """
import asyncio, csv, sys
from vimmerse_async import VimmerseSession, stream_prompts
async def main():
    with open(sys.argv[2], newline="") as file:
        rows = (row["image"] for row in csv.DictReader(file))
        async with VimmerseSession(base_url=sys.argv[1]) as session:
            async with stream_prompts(session, rows) as results:
                async for result in results: result.prompt
try:
    import uvloop; uvloop.run(main())
except ImportError:
    asyncio.run(main())
"""


@attrs.frozen
class Subject:
    """What is measured.

    Attributes:
        name: In the table.
        command: What is run: given the server, the folder's files in, out and kept.
        root: Where its packages are.
        keeps: Whether a second run knows the answers.
    """

    name: str
    command: Callable[[str, Path], list[str]]
    root: Path = ROOT
    keeps: bool = True


def run(origin: str, *, quick: bool, rounds: int | None = None) -> Result:
    """Measure 200,000 rows in each round, a tenth of them when it has to be quick."""
    count = 20_000 if quick else 200_000
    asked: dict[str, list[float]] = {}
    known: dict[str, list[float]] = {}
    with _before() as before, tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.csv")
        _write(source, count)
        subjects = _subjects(before)
        for number in range(rounds or 3):
            for subject in random.sample(subjects, len(subjects)):
                place = Path(folder, "run")
                place.mkdir()
                (place / "in.csv").symlink_to(source)
                asked.setdefault(subject.name, []).append(_cpu(subject, origin, place, count))
                if subject.keeps:
                    known.setdefault(subject.name, []).append(_cpu(subject, origin, place, count))
                shutil.rmtree(place)
            print(f"  round {number + 1} of {rounds or 3}", file=sys.stderr, flush=True)
    return Result(
        title="Catalog",
        text=(
            f"{count:,} rows of CSV, written to CSV with a prompt each, every answer kept in a "
            "journal; CPU of the whole process, in µs a row, against an immediate server; × is "
            "relative to the commit before in the same round."
        ),
        header=("what", "first run, µs", "×", "answers known, µs", "×"),
        rows=[
            [subject.name, *_shown(asked, subject.name), *_shown(known, subject.name)]
            for subject in subjects
        ],
        figures={
            **{f"asked: {name}": quartiles(found)[1] for name, found in asked.items()},
            **{f"known: {name}": quartiles(found)[1] for name, found in known.items()},
        },
    )


def _subjects(before: Path | None) -> list[Subject]:
    def caption(origin: str, place: Path) -> list[str]:
        return [
            sys.executable, "-c", _COMMAND, "caption", "in.csv", "-o", "out.csv",
            "--base-url", origin,
        ]  # fmt: skip

    def stream(origin: str, place: Path) -> list[str]:
        return [sys.executable, "-c", _STREAM, origin, "in.csv"]

    def script(origin: str, place: Path) -> list[str]:
        return [
            sys.executable, "-m", "benchmarks.catalog_script", origin, "in.csv", "out.csv",
            "kept.db",
        ]  # fmt: skip

    old = [] if before is None else [Subject(OLD, caption, before)]
    return [
        Subject(OWN, caption), *old, Subject(PLAIN, stream, keeps=False), Subject(SCRIPT, script),
    ]  # fmt: skip


def _cpu(subject: Subject, origin: str, place: Path, count: int) -> float:
    """Run a subject and return its CPU in µs a row; the rows that it wrote are counted."""
    environment = {
        **os.environ, "PYTHONPATH": str(subject.root), "VIMMERSE_API_KEY": "k" * 20,
    }  # fmt: skip
    with (place / "said").open("wb") as said:
        process = subprocess.Popen(
            subject.command(origin, place), cwd=place, env=environment, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{subject.name} failed:\n{(place / 'said').read_text()[-2000:]}")
    out = place / "out.csv"
    if subject.keeps and sum(1 for _ in out.open()) != count + 1:
        raise SystemExit(f"{subject.name} did not write {count:,} rows")
    return (usage.ru_utime + usage.ru_stime) / count * 1e6


def _shown(found: dict[str, list[float]], name: str) -> tuple[str, str]:
    if name not in found:
        return "", ""
    _, middle, _ = quartiles(found[name])
    if OLD not in found:
        return f"{middle:.0f}", ""
    pairs = zip(found[name], found[OLD], strict=True)
    return f"{middle:.0f}", f"{quartiles(one / other for one, other in pairs)[1]:.2f}"


def _write(path: Path, count: int) -> None:
    with path.open("w") as file:
        file.write("sku,image,title\n")
        for place in range(count):
            file.write(f'{place},https://cdn.example/{place}.png,"Title, number {place}"\n')


@contextmanager
def _before() -> Iterator[Path | None]:
    """Give a work tree of the commit before; None where there is no git, or no such commit."""
    folder = Path(tempfile.mkdtemp(), "before")
    command = ["git", "-C", str(ROOT), "worktree"]
    try:
        made = subprocess.run(
            [*command, "add", "--detach", str(folder), BEFORE], capture_output=True, check=False
        )
        yield folder if not made.returncode else None
    except FileNotFoundError:
        yield None
    finally:
        if folder.exists():
            subprocess.run([*command, "remove", "--force", str(folder)], check=False)
        shutil.rmtree(folder.parent, ignore_errors=True)
