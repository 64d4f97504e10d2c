"""The output is sacred: whatever is done to a catalog, it is as before, or the whole catalog.

A model of a few lines says what must stand in the output; the steps are drawn.
"""

import csv
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from cli_kit import COMMAND
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vimmerse_async.cli.app import run
from vimmerse_async.emulator import Emulator

OPTIONS = ((), ("--mode", "scene"), ("--prompt", "AAA"))
NOT_ASKED = "not asked yet"
OUT = Path("o.csv")
Row = tuple[str, str]
Table = list[dict[str, str]]


def read(path: Path) -> Table:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def is_complete(found: Table) -> bool:
    return not any(row["error"].endswith(NOT_ASKED) for row in found)


class Model:
    """What must stand in an output; what the server said to each question is learned from it."""

    def __init__(self) -> None:
        self.catalog: list[Row] = []
        self.asked: int = 0
        self._answers: dict[tuple[str, int], str] = {}

    def check(self, found: Table, asked: int, *, complete: bool) -> None:
        """See to it that a table is the whole present catalog, with this question's answers."""
        assert [(row["sku"], row["image"]) for row in found] == self.catalog
        for row in found:
            question = row["image"], asked
            if row["prompt"]:
                assert not row["error"]
                assert row["prompt"] == self._answers.setdefault(question, row["prompt"])
            elif row["image"].startswith("https://"):
                assert row["error"].endswith(NOT_ASKED)
                assert question not in self._answers
            else:
                assert "https" in row["error"]
        assert is_complete(found) or not complete


@attrs.define
class Shop:
    """A catalog that is edited and captioned, beside the model."""

    emulator: Emulator
    model: Model = attrs.field(factory=Model)
    number: int = 0
    journaled: bool = False

    def __attrs_post_init__(self) -> None:
        self.grow_end(5)

    def grow_end(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            row = str(self.number), f"https://x.example/{self.number}.jpg"
            self.model.catalog.append(row)

    def grow_top(self, count: int) -> None:
        self.grow_end(count)
        catalog = self.model.catalog
        catalog[:] = [*catalog[-count:], *catalog[:-count]]

    def cut_top(self, count: int) -> None:
        del self.model.catalog[:count]

    def cut_end(self, count: int) -> None:
        del self.model.catalog[-count:]

    def shuffle(self, seed: int) -> None:
        random.Random(seed).shuffle(self.model.catalog)

    def double(self, place: int) -> None:
        self.model.catalog += self.model.catalog[place : place + 1]

    def edit(self, place: int) -> None:
        self.number += 1
        for sku, _ in self.model.catalog[place : place + 1]:
            self.model.catalog[place] = sku, f"https://x.example/edited{self.number}.jpg"

    def spoil(self, place: int) -> None:
        for sku, url in self.model.catalog[place : place + 1]:
            self.model.catalog[place] = sku, url.replace("https:", "http:")

    def words(self, asked: int, *more: str) -> list[str]:
        rows = "".join(f"{sku},{url}\n" for sku, url in self.model.catalog)
        Path("c.csv").write_text(f"sku,image\n{rows}")
        return ["caption", "c.csv", "-o", str(OUT), *OPTIONS[asked], *more]

    def caption(self, asked: int, *more: str) -> None:
        """Run the command, and hold the output against the model."""
        self.run(asked, run, *more)

    def run(self, asked: int, command: Callable[[list[str]], int], *more: str) -> None:
        before = OUT.read_bytes() if OUT.exists() else None
        was_complete = before is not None and is_complete(read(OUT))
        beside = OUT.with_stem("o.partial")
        seen = beside.stat().st_mtime_ns if beside.exists() else 0
        code = command(self.words(asked, *more))
        now = OUT.read_bytes() if OUT.exists() else None
        if not self.model.catalog:
            assert (code, now) == (2, before)
            return
        self.model.asked = asked
        self.journaled = True
        whole = not more
        if now is not None and (whole or now != before):
            found = read(OUT)
            self.model.check(found, asked, complete=whole or was_complete)
        assert now is not None or not whole
        if beside.exists() and beside.stat().st_mtime_ns != seen:
            self.model.check(read(beside), asked, complete=False)
        assert not (whole and beside.exists())
        assert len(list(Path().glob("o.partial*"))) <= 1
        assert not whole or not list(Path().glob("*.tmp"))

    def export(self) -> None:
        """What is exported is the whole present catalog, as the last run asked it."""
        if not self.journaled or not self.model.catalog:
            return
        self.words(self.model.asked)
        assert run(["export", str(OUT), "-o", "x.csv"]) == 0
        self.model.check(read(Path("x.csv")), self.model.asked, complete=False)

    def spoil_output(self) -> None:
        """An output that somebody edited is refused, and stays."""
        if not OUT.exists() or not self.model.catalog:
            return
        sent = len(self.emulator.requests)
        before = OUT.read_bytes()
        OUT.write_bytes(before + b"\n")
        assert run(self.words(self.model.asked)) == 2
        assert OUT.read_bytes() == before + b"\n"
        assert len(self.emulator.requests) == sent
        OUT.write_bytes(before)


few = st.integers(0, 8)
edits = st.one_of(
    st.tuples(
        st.sampled_from(["grow_end", "grow_top", "cut_top", "cut_end", "edit", "double", "spoil"]),
        st.integers(1, 6),
    ),
    st.tuples(st.just("shuffle"), few),
)
asked = st.integers(0, len(OPTIONS) - 1)
runs = st.one_of(
    st.tuples(st.just("caption"), asked),
    st.tuples(
        st.just("caption"), asked, st.sampled_from(["--max-calls", "--rows"]), few.map(str)
    ).filter(lambda step: step[2:] != ("--rows", "0")),
    st.tuples(st.sampled_from(["export", "spoil_output"])),
)
steps = st.lists(st.tuples(edits, runs), min_size=1, max_size=6)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(unknown_media="placeholder") as running:
        monkeypatch.setenv("VIMMERSE_BASE_URL", running.url)
        monkeypatch.setenv("VIMMERSE_API_KEY", running.key)
        yield running


def walk(emulator: Emulator, folder: Path, drawn: list[tuple[tuple[object, ...], ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        emulator.reset()
        shop = Shop(emulator)
        for step in [one for pair in drawn for one in pair]:
            name, *values = step
            getattr(shop, str(name))(*values)
        questions = Counter(str(sorted(seen.fields.items())) for seen in emulator.requests)
        assert set(questions.values()) <= {1}


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_the_output_follows_the_model(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, drawn: list[object]
) -> None:
    """After each step of any sequence the output is what the model says, and paid for once."""
    walk(emulator, tmp_path_factory.mktemp("shop"), drawn)  # type: ignore[arg-type]


@pytest.mark.full
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(edits, runs), min_size=4, max_size=20))
def test_the_output_follows_the_model_for_long(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, drawn: list[object]
) -> None:
    """The same in many and long sequences."""
    walk(emulator, tmp_path_factory.mktemp("shop"), drawn)  # type: ignore[arg-type]


def heed_interrupts() -> None:
    """Undo what a shell does to what it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(emulator: Emulator, number: signal.Signals, after: float) -> Callable[..., int]:
    """Return what runs the command in a process of its own, and sends it a signal."""

    def command(words: list[str]) -> int:
        process = subprocess.Popen(
            [COMMAND, *words],
            stderr=subprocess.DEVNULL,
            preexec_fn=heed_interrupts,  # noqa: PLW1509 - it runs beside the emulator's thread
        )
        seen = len(emulator.requests)
        until = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < until:
            if len(emulator.requests) > seen:
                time.sleep(after)
                process.send_signal(number)
                break
            time.sleep(0.005)
        return process.wait(timeout=30)

    return command


def kill_often(emulator: Emulator, folder: Path, seed: int, count: int) -> None:
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        emulator.reset(latency="uniform:0.001,0.05")
        shop = Shop(emulator)
        for _ in range(count):
            shop.grow_top(chance.randrange(1, 60))
            shop.cut_end(chance.randrange(1, 20))
            shop.shuffle(chance.randrange(99))
            asked = chance.randrange(len(OPTIONS))
            number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
            stop = interrupted(emulator, number, chance.choice([0.0, 0.05, 0.2, 0.4]))
            shop.run(asked, stop, "--limit", "8")
            shop.export()
            if chance.random() < 0.3:
                shop.caption(chance.randrange(len(OPTIONS)))
        shop.caption(0)


def test_E21_killed_at_any_moment(emulator: Emulator, tmp_path: Path) -> None:
    """E21: Ctrl-C, SIGTERM and kill -9, at any moment: as before, or the whole catalog."""
    kill_often(emulator, tmp_path, seed=4, count=3)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4))
def test_E21_killed_at_any_moment_for_long(emulator: Emulator, tmp_path: Path, seed: int) -> None:
    """E21: the same in long sequences, killed while the output is written, too."""
    kill_often(emulator, tmp_path, seed, count=15)
