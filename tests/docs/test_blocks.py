"""Every block of code on every page runs, in the page's order, beside an emulator."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("docs/*.md"))
OWN_TEST = {"testing.md"}
"""Pages whose blocks are a project that another test runs."""
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NOT_RUN = {
    "pip install": "everything is installed",
    "python3 -m venv": "everything is installed",
    ". .venv/bin/activate": "everything is installed",
    "export ": "the test sets the variables",
    "make ": "the test is part of it",
    "sqlite3 ": "the journal's tests make its queries",
    "curl ": "asks the server of the line below",
    "vimmerse emulator exec -- uvicorn": "serves for ever; the examples' test runs it",
    "vimmerse emulator exec -- sh -c 'openapi-python-client": "needs a package of others",
    "vimmerse emulator --": "serves for ever; the emulator's tests run it",
    "vimmerse emulator exec --any-url -- python pipeline_postgres.py": "needs a server; the "
    "examples' test starts one",
    "psql ": "needs a server",
}
"""Commands by their beginning, and why they are left out."""
LONG = {"vimmerse emulator exec --any-url -- sh check.sh": "seconds of generated cases"}
"""Commands that are typed with the full figures only."""
SLOW = {"distribute.md"}
"""Pages that need Ray."""


@attrs.frozen
class Block:
    """One block of a page."""

    language: str
    name: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text("utf-8"))]


def typed_in(block: Block) -> list[str]:
    """Return what a reader types in a block."""
    lines = block.text.splitlines() if block.language == "console" else []
    return [line[2:] for line in lines if line.startswith("$ ")]


def commands(page: Path) -> list[str]:
    return [line for block in blocks(page) for line in typed_in(block)]


def run(words: list[str], folder: Path, environment: dict[str, str], allowed: set[int]) -> None:
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in allowed, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    assert "knows no picture" not in done.stdout, f"{shlex.join(words)}: no row has an answer"


def pages() -> Iterator[object]:
    for page in PAGES:
        if page.name in OWN_TEST or not blocks(page):
            continue
        marks = []
        if page.name in SLOW:
            absent = find_spec("ray") is None
            marks = [pytest.mark.full, pytest.mark.skipif(absent, reason="Ray is not installed")]
        yield pytest.param(page, id=page.stem, marks=marks)


@pytest.mark.parametrize("page", list(pages()))
def test_the_blocks_of_a_page_run(page: Path, folder: Path, environment: dict[str, str]) -> None:
    """Files are written as named, commands typed as shown, and Python without a name is run."""
    if page.name in SLOW:
        _tables(folder)
        environment |= {"RAY_USAGE_STATS_ENABLED": "0"}
    run_page(page, folder, environment, (*NOT_RUN, *LONG))


@pytest.mark.full
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if not LONG.keys().isdisjoint(commands(page))],
    ids=lambda page: page.stem,
)
def test_a_page_with_a_long_command_runs(
    page: Path, folder: Path, environment: dict[str, str]
) -> None:
    """What takes long is typed, too, only more rarely."""
    run_page(page, folder, environment, tuple(NOT_RUN))


def run_page(
    page: Path, folder: Path, environment: dict[str, str], left_out: tuple[str, ...]
) -> None:
    typed = " ".join(commands(page)).split()
    for block in blocks(page):
        if block.name:
            (folder / block.name).write_text(block.text)
        if block.language == "python" and block.name not in typed:
            (folder / (block.name or "block.py")).write_text(block.text)
            words = ["python", "-W", "error", block.name or "block.py"]
            run(words, folder, environment, {0})
        for line in typed_in(block):
            if line.startswith(left_out):
                continue
            allowed = {0, 1} if " caption " in line else {0}
            run(["bash", "-c", line], folder, environment, allowed)


def test_every_block_is_of_a_language_that_is_run() -> None:
    """A block in no known language would be a block that nothing runs."""
    known = {"python", "console", "text", "csv", "toml", "json", "sql"}
    for page in PAGES:
        for block in blocks(page):
            assert block.language in known, f"{page.name}: {block.language}"


def _tables(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (folder / "catalog").mkdir()
    for part in range(2):
        urls = [f"https://shop.example/{part}-{n}.jpg" for n in range(50)]
        urls[0] = "http://shop.example/old.jpg"
        parquet.write_table(pa.table({"image": urls}), folder / "catalog" / f"{part}.parquet")
