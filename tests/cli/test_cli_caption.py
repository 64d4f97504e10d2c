"""`vimmerse caption`, in this process, over real sockets and files."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import write_urls

from vimmerse_async.emulator import Emulator, Fault

A = "https://a.example/{}.png"
EXAMPLES = Path(__file__).parents[2] / "examples" / "catalog"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def objects(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def asked(emulator: Emulator) -> list[dict[str, str]]:
    return [seen.fields for seen in emulator.requests if seen.route.startswith("/v2/text")]


def test_csv_to_csv(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """Every column and row comes back in order, with a prompt; the URL column is found out."""
    rows = [(str(one), f"title, {one}", A.format(one)) for one in range(50)]
    with (place / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "title", "image"), *rows])
    ended = vimmerse("caption", "in.csv", "-o", "out.csv")
    out = table((place / "out.csv").read_text())
    assert ended.code == 0
    assert list(out[0]) == ["id", "title", "image", "prompt", "error"]
    assert [(row["id"], row["title"], row["image"]) for row in out] == rows
    assert all(f"{row['id']}.png" in row["prompt"] and not row["error"] for row in out)
    assert "50 rows of in.csv by column image" in ended.err
    assert "done: 50 of 50 rows" in ended.err
    assert sorted(one["image_url"] for one in asked(emulator)) == sorted(row[2] for row in rows)


def test_bad_rows_fail_alone(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """Each bad row has its line and reason in `error`, costs nothing, and the run ends with 1."""
    (place / "in.csv").write_bytes(
        b"id,image\n1,https://a.example/1.png\n2,http://a.example/2.png\n3,\n4,\xff\n"
        b"5,x,y\n6,https://a.example/6.png\n"
    )
    ended = vimmerse("caption", "in.csv")
    errors = [row["error"] for row in table(ended.out)]
    assert ended.code == 1
    assert [error.partition(":")[0] for error in errors] == [
        "", "line 3", "line 4", "line 5", "line 6", "",
    ]  # fmt: skip
    assert [bool(row["prompt"]) for row in table(ended.out)] == [not error for error in errors]
    assert "https://" in errors[1]
    assert "column image is empty" in errors[2]
    assert "--encoding" in errors[3]
    assert "quotes" in errors[4]
    assert len(emulator.requests) == 2
    assert "4 failed" in ended.err
    assert "and 1 more" in ended.err


def test_folder(
    vimmerse: Callable[..., Any], photos: Path, place: Path, emulator: Emulator
) -> None:
    """Local pictures are uploaded and truly looked at; other files are named and left alone."""
    ended = vimmerse("caption", photos, "-o", "out.csv", "--prompt", "a seed", "--mode", "video")
    out = table((place / "out.csv").read_text())
    assert ended.code == 0
    assert [row["file"] for row in out] == ["below/blue.webp", "green.jpg", "red.png"]
    for row, colour in zip(out, ("blue", "green", "red"), strict=True):
        assert colour in row["prompt"]
        assert row["url"].startswith("https://media.vimmerse.test/")
    assert "skipped 1 files that are no picture or video: 1 .md" in ended.err
    assert {(one["prompt"], one["mode"]) for one in asked(emulator)} == {("a seed", "video")}


def test_one_picture(vimmerse: Callable[..., Any], photos: Path) -> None:
    """A picture is a catalog of one."""
    ended = vimmerse("caption", photos / "red.png")
    assert ended.code == 0
    assert [row["file"] for row in table(ended.out)] == ["red.png"]


def test_broken_files_fail_alone(
    vimmerse: Callable[..., Any], photos: Path, emulator: Emulator
) -> None:
    """A file that only looks like a picture fails by name, and is not sent."""
    (photos / "fake.png").write_text("no picture")
    (photos / "gone.jpg").symlink_to("nowhere")
    ended = vimmerse("caption", photos, "--rows", "4")
    rows = {row["file"]: row["error"] for row in table(ended.out)}
    assert ended.code == 1
    assert rows["fake.png"].startswith("fake.png: is not JPEG")
    assert "cannot be read" in rows["gone.jpg"]
    assert not rows["green.jpg"]
    assert len(emulator.requests) == 4


def test_example_catalog(
    vimmerse: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo: every example has a prompt of its own, without a key in the environment."""
    monkeypatch.delenv("VIMMERSE_API_KEY")
    monkeypatch.delenv("VIMMERSE_BASE_URL")
    ended = vimmerse("caption", EXAMPLES, "-o", "captions.csv", "--emulator")
    prompts = [row["prompt"] for row in table((place / "captions.csv").read_text())]
    assert ended.code == 0
    assert len(set(prompts)) == len(prompts) >= 13
    assert "the emulator answers" in ended.err


def test_emulator_says_that_it_does_not_see(vimmerse: Callable[..., Any], place: Path) -> None:
    """With --emulator, URLs get placeholders, and stderr says so."""
    write_urls(place / "in.txt", 1)
    ended = vimmerse("caption", "in.txt", "--emulator")
    assert ended.code == 0
    assert "not seen" in ended.out
    assert "is no model" in ended.err
    assert "get a placeholder" in ended.err


def test_jsonl(vimmerse: Callable[..., Any], place: Path) -> None:
    """JSONL comes back as JSONL, on stdout too, each value as it was."""
    rows = [{"url": A.format(1), "n": 1.5, "tags": ["é", None]}, {"url": A.format(2), "x": True}]
    (place / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ended = vimmerse("caption", "in.jsonl")
    out = [json.loads(line) for line in ended.out.splitlines()]
    assert ended.code == 0
    assert [{**row, "prompt": None} for row in out] == [
        {**row, "prompt": None, "error": None} for row in rows
    ]


def test_jsonl_to_csv(vimmerse: Callable[..., Any], place: Path) -> None:
    """CSV has a column for every field of every row of a JSONL file."""
    rows = [{"url": A.format(1), "a": 1}, {"url": A.format(2), "b": [2]}]
    (place / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    vimmerse("caption", "in.jsonl", "-o", "out.csv")
    out = table((place / "out.csv").read_text())
    assert list(out[0]) == ["url", "a", "b", "prompt", "error"]
    assert [(row["a"], row["b"]) for row in out] == [("1", ""), ("", "[2]")]


def test_columns_and_question(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """Every column and every part of the question reaches its field of the request."""
    (place / "in.csv").write_text(f"a,b,v,p\n{A.format(1)},{A.format(2)},{A.format(3)},seed\n")
    ended = vimmerse(
        "caption", "in.csv", "--column", "a", "--column2", "b", "--video-column", "v",
        "--prompt-column", "p", "--option", "inspireme", "--mode", "AUDIO",
    )  # fmt: skip
    assert ended.code == 0
    assert asked(emulator) == [
        {
            "option": "InspireMe", "image_url": A.format(1), "image2_url": A.format(2),
            "video_url": A.format(3), "prompt": "seed", "mode": "audio",
        }
    ]  # fmt: skip


def test_texts(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """A text file is refined line by line; a URL among the texts costs nothing."""
    (place / "in.txt").write_text("a cat\n#dog photo\nhttps://a.example/1.png\n")
    ended = vimmerse("caption", "in.txt", "--option", "RefinePrompt")
    rows = table(ended.out)
    assert ended.code == 1
    assert [row["text"] for row in rows][:2] == ["a cat", "'#dog photo".lstrip("'")]
    assert "which is no text to refine" in rows[2]["error"]
    assert len(emulator.requests) == 2


def test_first_rows_only(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """--rows asks about that many rows and no more."""
    write_urls(place / "in.txt", 300)
    ended = vimmerse("caption", "in.txt", "--rows", "7")
    assert (ended.code, len(table(ended.out)), len(emulator.requests)) == (0, 7, 7)
    assert "done: 7 of 7 rows" in ended.err


def test_limit(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """--limit bounds the requests in flight."""
    write_urls(place / "in.txt", 30)
    vimmerse("caption", "in.txt", "--limit", "2")
    assert max(seen.in_flight for seen in emulator.requests) <= 2


@pytest.mark.parametrize(
    ("source", "content"), [("in.csv", "id,url\n"), ("in.txt", ""), ("in.jsonl", "\n")]
)
def test_empty_catalog(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator, source: str, content: str
) -> None:
    """A catalog without rows, of a failed listing perhaps, is refused; the output stays."""
    (place / source).write_text("url\nhttps://a.example/1.png\n")
    vimmerse("caption", source, "-o", "out.csv", "--from", "csv")
    before = (place / "out.csv").read_bytes()
    (place / source).write_text(content)
    for output in ("out.csv", "new.csv"):
        for word in ("--fresh", "--overwrite", "--no-journal"):
            ended = vimmerse("caption", source, "-o", output, word)
            assert ended.code == 2
            assert "has no rows" in ended.err
    assert (place / "out.csv").read_bytes() == before
    assert not (place / "new.csv").exists()
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("more", [(), ("--journal", "j.db")])
def test_an_empty_catalog_through_a_pipe(
    start: Callable[..., Any], place: Path, emulator: Emulator, more: tuple[str, ...]
) -> None:
    """Nothing is printed, no header either, before it is known that there are rows."""
    (place / "in.csv").write_text("id,url\n")
    with (place / "in.csv").open() as rows:
        ended = start("caption", "-", *more, stdin=rows)
        out, err = ended.communicate(timeout=60)
    assert (ended.returncode, out) == (2, "")
    assert "no rows" in err


def test_empty_wallet(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """An empty wallet stops the run with 3; what was paid for stands in the whole catalog."""
    emulator.reset(credits=20)
    write_urls(place / "in.txt", 200)
    ended = vimmerse("caption", "in.txt", "-o", "out.jsonl")
    rows = objects(place / "out.jsonl")
    assert ended.code == 3
    assert len(rows) == 200
    assert [row["prompt"] is not None for row in rows].count(True) == 20
    assert all(row["prompt"] or row["error"].endswith(": not asked yet") for row in rows)
    assert "stopped: 20 of 200 rows" in ended.err
    assert "add credits" in ended.err


@pytest.mark.parametrize("source", ["in.txt", "photos"])
def test_wrong_key(
    vimmerse: Callable[..., Any],
    photos: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    """A key that the server refuses stops the run with 3, also while files are uploaded."""
    assert photos.exists()
    monkeypatch.setenv("VIMMERSE_API_KEY", "secret-sentinel")
    write_urls(place / "in.txt", 200)
    ended = vimmerse("caption", source, "-o", "out.csv")
    assert ended.code == 3
    assert "401" in ended.err
    assert "sentinel" not in ended.err + ended.out
    assert not (place / "out.csv").exists()


def test_stopped_run_replaces_nothing(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """A complete output survives a run that began anew and was stopped; its rows go beside it."""
    write_urls(place / "in.txt", 30)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    before = (place / "out.csv").read_bytes()
    for word in ("--fresh", "--no-journal"):
        emulator.reset(credits=5)
        ended = vimmerse("caption", "in.txt", "-o", "out.csv", word)
        assert ended.code == 3
        assert (place / "out.csv").read_bytes() == before
        partial = place / "out.partial.csv"
        rows = table(partial.read_text())
        assert [bool(row["prompt"]) for row in rows].count(True) == 5
        assert [row["error"].endswith("not asked yet") for row in rows].count(True) == 25
        assert "written to out.partial.csv" in ended.err.replace(f"{place}/", "")
        assert "out.csv stays as it is: it is complete" in ended.err
        partial.unlink()


def test_failures_amid_answers(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """A row that the server fails is a failed row of a run that goes on."""
    emulator.reset(faults=[Fault("status", status=501, contains="/3.png")])
    write_urls(place / "in.txt", 9)
    ended = vimmerse("caption", "in.txt")
    rows = table(ended.out)
    assert ended.code == 1
    assert [row["url"] for row in rows if row["error"]] == [A.format(3)]
    assert "line 4: HTTP 501" in rows[3]["error"]
    assert "done: 9 of 9 rows" in ended.err


def test_possible_charges_are_told(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """A reply that was lost after the work may have been billed: the last word says so."""
    emulator.reset(faults=[Fault("truncated", nth=1)])
    write_urls(place / "in.txt", 3)
    ended = vimmerse("caption", "in.txt")
    assert ended.code == 0
    assert "1 request may have been charged" in ended.err


def test_control_codes_do_not_reach_people(vimmerse: Callable[..., Any], place: Path) -> None:
    """What a file name or a cell holds is shown on stderr, never obeyed."""
    (place / "a\x1b[31m.csv").write_text("url\nhttps://a.example/\x1b]0;x\x07\n")
    ended = vimmerse("caption", "a\x1b[31m.csv", "-o", "out.csv")
    assert ended.code == 1
    assert "\x1b" not in ended.err
    assert "\\x1b[31m.csv" in ended.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("output", "reason"), [("/dev/full", "No space left"), ("none/out.csv", "No such file")]
)
def test_no_output(vimmerse: Callable[..., Any], place: Path, output: str, reason: str) -> None:
    """An output that cannot be written ends the run with 4 and a reason."""
    write_urls(place / "in.txt", 5)
    ended = vimmerse("caption", "in.txt", "-o", output, "--to", "csv")
    assert ended.code == 4
    assert reason in ended.err
    assert "Traceback" not in ended.err


def test_unwritable_output_costs_nothing(
    vimmerse: Callable[..., Any], place: Path, emulator: Emulator
) -> None:
    """A place that cannot be written is found before the first call."""
    write_urls(place / "in.txt", 5)
    assert vimmerse("caption", "in.txt", "-o", "none/out.csv").code == 4
    assert not emulator.requests


USAGE = {
    "two columns": ("u,w\nhttps://a.example/1,https://a.example/2\n", (), "--column: u, w"),
    "no such column": ("u\nx\n", ("--column", "v"), "there are u"),
    "ending": ("u\nx\n", ("-o", "out.docx"), "--to csv"),
    "itself": ("u\nx\n", ("-o", "in.csv"), "the output is the source"),
    "key": ("u\nx\n", ("--api-key", "secret-sentinel"), "VIMMERSE_API_KEY"),
    "http": ("u\nx\n", ("--base-url", "http://a.example"), "https://"),
    "both": ("u\nx\n", ("--emulator", "--base-url", "https://a.example"), "its own address"),
    "no option": ("u\nx\n", ("--colum", "u"), "--column"),
    "no mode": ("u\nx\n", ("--mode", "film"), "audio"),
    "prompt": ("u\nhttps://a.example/1\n", ("--prompt", " "), "prompt is empty"),
    "encoding": ("u\nx\n", ("--encoding", "klingon"), "cp1252"),
    "key file": ("u\nx\n", ("--api-key-file", "none"), "cannot be read"),
}


@pytest.mark.parametrize(("content", "words", "reason"), USAGE.values(), ids=USAGE)
def test_usage(
    vimmerse: Callable[..., Any],
    place: Path,
    emulator: Emulator,
    content: str,
    words: tuple[str, ...],
    reason: str,
) -> None:
    """What makes no sense ends with 2 and one line that says the mend; nothing is sent."""
    (place / "in.csv").write_text(content)
    ended = vimmerse("caption", "in.csv", *words)
    *_, last = ended.err.splitlines()
    assert ended.code == 2
    assert reason in last
    assert last.startswith("vimmerse: ")
    assert "sentinel" not in ended.err
    assert not emulator.requests


def test_folder_has_no_columns(vimmerse: Callable[..., Any], photos: Path) -> None:
    """Options that mean nothing for a folder are refused."""
    assert "no columns" in vimmerse("caption", photos, "--column", "file").err
    assert "--prompt" in vimmerse("caption", photos, "--option", "RefinePrompt").err


def test_no_key(vimmerse: Callable[..., Any], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the message names every way to give one."""
    monkeypatch.delenv("VIMMERSE_API_KEY")
    write_urls(place / "in.txt", 1)
    ended = vimmerse("caption", "in.txt")
    assert ended.code == 2
    assert all(way in ended.err for way in ("VIMMERSE_API_KEY", "--api-key-file", "--emulator"))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True)])
def test_key_file(
    vimmerse: Callable[..., Any],
    place: Path,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    warned: bool,
) -> None:
    """A key file may begin with a mark and end with a newline; one that others can read is told."""
    monkeypatch.delenv("VIMMERSE_API_KEY")
    (place / "key").write_text(f"\ufeff{emulator.key}\r\n")
    (place / "key").chmod(mode)
    write_urls(place / "in.txt", 1)
    ended = vimmerse("caption", "in.txt", "--api-key-file", "key")
    assert ended.code == 0
    assert ("chmod 600" in ended.err) is warned
    assert emulator.key not in ended.err + ended.out


def test_standard_input(vimmerse: Callable[..., Any], place: Path, emulator: Emulator) -> None:
    """`-` reads what comes through a pipe, and is told by its first line."""
    saved = os.dup(0)
    reader, writer = os.pipe()
    try:
        os.write(writer, b"id,url\n1,https://a.example/1.png\n2,https://a.example/2.png\n")
        os.close(writer)
        os.dup2(reader, 0)
        ended = vimmerse("caption", "-")
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reader)
    assert ended.code == 0
    assert [row["id"] for row in table(ended.out)] == ["1", "2"]
    assert len(emulator.requests) == 2
