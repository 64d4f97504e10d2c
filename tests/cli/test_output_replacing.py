"""Which file is replaced by an output, and what is done where a catalog cannot be read again."""

import csv
import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import write_urls

from vimmerse_async.emulator import Emulator

Vimmerse = Callable[..., Any]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("word", [None, "--no-journal", "--fresh"])
def test_another_programs_file_is_refused(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, word: str | None
) -> None:
    """A file that others wrote is replaced with --overwrite only; nothing is sent before."""
    write_urls(place / "in.txt", 3)
    (place / "out.csv").write_text("theirs\n")
    more = [word] if word else []
    ended = vimmerse("caption", "in.txt", "-o", "out.csv", *more)
    assert ended.code == 2
    assert "--overwrite replaces it, another name with -o leaves it alone" in ended.err
    assert (place / "out.csv").read_text() == "theirs\n"
    assert not emulator.requests
    words = ("caption", "in.txt", "-o", "out.csv", "--overwrite", *more)
    stopped = vimmerse(*words, "--max-calls", "1")
    assert stopped.code == 3
    assert (place / "out.csv").read_text() == "theirs\n"
    assert vimmerse(*words).code == 0
    assert len(table(place / "out.csv")) == 3


def test_a_longer_output_of_another_catalog_is_refused(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """A catalog of another name may not shorten an output; the same catalog may, when cut."""
    write_urls(place / "long.txt", 20)
    write_urls(place / "short.txt", 5)
    vimmerse("caption", "long.txt", "-o", "out.csv")
    ended = vimmerse("caption", "short.txt", "-o", "out.csv")
    assert ended.code == 2
    assert "holds the 20 rows of 'long.txt'" in ended.err
    assert len(table(place / "out.csv")) == 20
    write_urls(place / "long.txt", 5)
    assert vimmerse("caption", "long.txt", "-o", "out.csv").code == 0
    assert len(table(place / "out.csv")) == 5
    assert len(emulator.requests) == 20


@pytest.mark.parametrize("command", ["report", "export"])
def test_looking_at_a_run_spares_what_is_there(
    vimmerse: Vimmerse, place: Path, command: str
) -> None:
    """A report or an export never replaces a catalog, what a run wrote, or a journal."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    vimmerse("caption", "in.txt", "-o", "out.csv", "--prompt", "B", "--max-calls", "1")
    files = ["in.txt", "out.csv", "out.partial.csv", "out.csv.journal"]
    before = [(place / name).read_bytes() for name in files]
    for name in files:
        more = ["--to", "csv"] if command == "export" else []
        ended = vimmerse(command, "out.csv", "-o", name, *more)
        assert (ended.code, "another name" in ended.err) == (2, True), ended.err
    assert [(place / name).read_bytes() for name in files] == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", b"n,image\nSch\xfch,https://a.example/1.png\n"),
        ("c.jsonl", b'{"n": "Sch\xfch", "image": "https://a.example/1.png"}\n'),
    ],
)
def test_bytes_that_are_not_asked_about_fail_no_row(
    vimmerse: Vimmerse, place: Path, name: str, content: bytes
) -> None:
    """A cell of another encoding comes back as it was, and its row is asked, also the first."""
    (place / name).write_bytes(content)
    ended = vimmerse("caption", name, "--column", "image", "-o", f"o{name}")
    assert ended.code == 0, ended.err
    written = (place / f"o{name}").read_bytes()
    assert b"Sch\xfch" in written
    assert b"UTF-8" not in written


def test_a_report_replaces_pages_only(vimmerse: Vimmerse, place: Path) -> None:
    """A page is made anew over itself, and never over another program's file."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    (place / "theirs.csv").write_text("sku\n")
    for _ in range(2):
        assert vimmerse("report", "out.csv", "-o", "page.html").code == 0
    assert "is no page" in vimmerse("report", "out.csv", "-o", "theirs.csv").err
    assert (place / "theirs.csv").read_text() == "sku\n"


@pytest.mark.parametrize("more", [(), ("--answers",), ("--failed",), ("--versions",)])
def test_an_export_replaces_exports_only(vimmerse: Vimmerse, place: Path, more) -> None:
    """An export is made anew over itself; another program's file needs --overwrite."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    export = ("export", "out.csv", *more, "-o", "x.csv")
    for _ in range(2):
        assert vimmerse(*export).code == 0
    ours = (place / "x.csv").read_bytes()
    for theirs in (ours + b"mine\n", b"sku\n"):
        (place / "x.csv").write_bytes(theirs)
        refused = vimmerse(*export)
        assert (refused.code, "--overwrite replaces it" in refused.err) == (2, True)
        assert (place / "x.csv").read_bytes() == theirs
    assert vimmerse(*export, "--overwrite").code == 0
    assert (place / "x.csv").read_bytes() == ours
    kept = (place / "out.csv").read_bytes()
    assert vimmerse("export", "out.csv", "-o", "out.csv", "--overwrite").code == 2
    assert (place / "out.csv").read_bytes() == kept


def test_what_stands_beside_goes_when_the_output_is_whole(
    vimmerse: Vimmerse, place: Path, emulator: Emulator
) -> None:
    """A stopped run's rows stand beside a complete output until the same questions are answered."""
    write_urls(place / "in.txt", 10)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    words = ("caption", "in.txt", "-o", "out.csv", "--mode", "video")
    for calls in ("3", "4"):
        ended = vimmerse(*words, "--max-calls", calls)
        assert "out.csv stays as it is: it is complete for other options" in ended.err
        assert "written to out.partial.csv" in ended.err
    assert [bool(row["prompt"]) for row in table(place / "out.partial.csv")].count(True) == 7
    assert vimmerse(*words).code == 0
    assert not (place / "out.partial.csv").exists()
    assert len(emulator.requests) == 20


def test_a_catalog_that_has_moved(vimmerse: Vimmerse, place: Path) -> None:
    """Export and report name what can be done; the answers alone come only when asked for."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    (place / "in.txt").rename(place / "moved.txt")
    for command in ("export", "report"):
        ended = vimmerse(command, "out.csv", "-o", "x.jsonl" if command == "export" else "x.html")
        assert ended.code == 2
        assert "--source FILE names it where it is now, --answers does without it" in ended.err
    assert vimmerse("export", "out.csv", "-o", "x.csv", "--source", "moved.txt").code == 0
    assert (place / "x.csv").read_bytes() == (place / "out.csv").read_bytes()
    assert vimmerse("export", "out.csv", "-o", "x.jsonl", "--answers").code == 0
    row = json.loads((place / "x.jsonl").read_text().splitlines()[0])
    assert row["image_url"].startswith("https://a.example/")
    refused = vimmerse(
        "export", "out.csv", "-o", "moved.txt", "--to", "csv", "--source", "moved.txt"
    )
    assert refused.code == 2
    assert "the output is the source" in refused.err


def test_E5_a_full_disk_at_the_end(
    start: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """E5: an output that cannot be written ends with 4; all that was paid for is kept, and told."""
    rows = "".join(f"https://a.example/{n}.png,{'x' * 20_000}\n" for n in range(30))
    (place / "in.csv").write_text(f"url,text\n{rows}")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    process = start("caption", "in.csv", "-o", "out.csv", preexec_fn=limited)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "what was answered is kept in out.csv.journal; to go on: vimmerse caption" in said
    assert not (place / "out.csv").exists()
    process = start("caption", "in.csv", "-o", "out.csv")
    assert process.wait(timeout=60) == 0
    assert len(table(place / "out.csv")) == 30
    assert len(emulator.requests) == 30
