"""A catalog that is interrupted, broke, changed and killed is paid for once."""

import csv
import json
import shlex
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cli_kit import COMMAND, wait_until, write_urls

from vimmerse_async.catalog.money import invoice
from vimmerse_async.emulator import Emulator, Fault
from vimmerse_async.journal.reader import JournalReader

Start = Callable[..., "subprocess.Popen[str]"]
Vimmerse = Callable[..., Any]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def answered(path: Path) -> list[dict[str, str]]:
    return [row for row in table(path) if row["prompt"]]


def asked(emulator: Emulator) -> list[str]:
    fields = [seen.fields or {} for seen in emulator.requests]  # None until the body is read
    return [each["image_url"] for each in fields if "image_url" in each]


def default_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def printed_command(said: str) -> list[str]:
    """Return the words of the command that stderr gives to go on."""
    (line,) = [line for line in said.splitlines() if line.startswith("to go on: ")]
    words = shlex.split(line.removeprefix("to go on: "))
    assert words[0] == "vimmerse"
    return words[1:]


def test_interrupted_twice(start: Start, place: Path, emulator: Emulator) -> None:
    """Ctrl-C, SIGTERM, and the printed command: each row is asked once, and all are in order."""
    emulator.reset(latency=0.1)
    write_urls(place / "in.txt", 400)
    words = ["caption", "in.txt", "-o", "my out.csv"]
    done = 0
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start(*words, preexec_fn=default_signals)
        more = done + 30
        wait_until(lambda: len(asked(emulator)) > more)  # noqa: B023 - called at once
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        rows = answered(place / "my out.csv")
        assert process.returncode == code
        assert len(table(place / "my out.csv")) == 400
        assert f"stopped: {len(rows)} of 400 rows" in said
        assert done < len(rows) == len(asked(emulator))
        if done:
            assert f"the journal my out.csv.journal holds {done} answers" in said
        done, words = len(rows), printed_command(said)
    process = start(*words)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "done: 400 of 400 rows in " in said
    assert f", {done} known already, written to my out.csv" in said
    assert [row["url"] for row in table(place / "my out.csv")] == [
        f"https://a.example/{number}.png" for number in range(400)
    ]
    assert len(asked(emulator)) == len(set(asked(emulator))) == 400
    assert sorted(path.name for path in place.iterdir()) == [
        "in.txt", "my out.csv", "my out.csv.journal",
    ]  # fmt: skip


def test_killed(start: Start, place: Path, emulator: Emulator) -> None:
    """After a kill the next run says how many calls may be repeated, and repeats no more."""
    emulator.reset(latency=0.2)
    write_urls(place / "in.txt", 300)
    process = start("caption", "in.txt", "-o", "out.csv", "--limit", "16")
    wait_until(lambda: len(asked(emulator)) > 60)
    process.kill()
    process.wait(timeout=10)
    assert not (place / "out.csv").exists()
    with JournalReader("out.csv.journal") as journal:
        spent = invoice(journal, Decimal(1))
    assert spent is not None
    assert spent.cost <= emulator.account.wallet.spent <= spent.cost + spent.maybe
    process = start("caption", "in.txt", "-o", "out.csv", "--limit", "16")
    _, said = process.communicate(timeout=60)
    again = len(asked(emulator)) - 300
    told = int(said.partition("at most ")[2].partition(" calls may be asked again")[0])
    assert process.returncode == 0
    assert 0 <= again <= min(told, 32)
    assert told <= 64
    assert len(table(place / "out.csv")) == 300


def test_empty_wallet_parks_the_run(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """402 ends with 3 and the very command that goes on; it pays for the rest only."""
    emulator.reset(credits=20)
    write_urls(place / "in.txt", 50)
    ended = vimmerse("caption", "in.txt", "-o", "out.jsonl")
    assert ended.code == 3
    assert "stopped: 20 of 50 rows" in ended.err
    assert "add credits" in ended.err
    words = printed_command(ended.err)
    assert words == ["caption", "in.txt", "-o", "out.jsonl"]
    rows = [json.loads(line) for line in (place / "out.jsonl").read_text().splitlines()]
    assert [row["prompt"] is not None for row in rows].count(True) == 20
    waiting = [(n, row["error"]) for n, row in enumerate(rows, 1) if row["prompt"] is None]
    assert all(error == f"line {n}: not asked yet" for n, error in waiting)
    emulator.reset(credits=30)
    ended = vimmerse(*words)
    assert ended.code == 0
    assert "20 known already" in ended.err
    assert len((place / "out.jsonl").read_text().splitlines()) == 50


def test_max_calls(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """--max-calls makes so many calls and no more, and stops with 3 and the command to go on."""
    write_urls(place / "in.txt", 50)
    ended = vimmerse("caption", "in.txt", "-o", "out.csv", "--max-calls", "20")
    assert ended.code == 3
    assert len(emulator.requests) == 20
    assert len(answered(place / "out.csv")) == 20
    assert len(table(place / "out.csv")) == 50
    assert vimmerse(*printed_command(ended.err)).code == 3
    assert vimmerse(*printed_command(ended.err)).code == 0
    assert len(emulator.requests) == 50


def test_dry_run(vimmerse: Vimmerse, place: Path, photos: Path, emulator: Emulator) -> None:
    """--dry-run tells rows, questions, answers, calls and time, and sends nothing at all."""
    urls = [f"https://a.example/{number % 40}.png" for number in range(50)]
    (place / "in.csv").write_text("\n".join(["url", *urls, "http://no", '"']) + "\n")
    before = vimmerse("caption", "in.csv", "-o", "out.csv", "--dry-run", "--max-calls", "7")
    assert not emulator.requests
    assert not (place / "out.csv.journal").exists()
    assert dict(line.split(None, 1) for line in before.out.replace(" questions", "").replace(
        "cannot be asked", "bad").replace("already ", "").replace("calls ", "").splitlines()
        if line[0] != " ") == {
        "rows": "52", "bad": "2", "distinct": "40", "answered": "0", "needed": "40",
        "allowed": "7", "time": "unknown: no run has learned yet how fast the account may go",
    }  # fmt: skip
    assert vimmerse("caption", "in.csv", "-o", "out.csv").code == 1
    (place / "in.csv").write_text("\n".join(["url", *urls, "https://a.example/new.png"]) + "\n")
    after = vimmerse("caption", "in.csv", "-o", "out.csv", "--dry-run")
    assert "already answered    40\n" in after.out
    assert "calls needed        1\n" in after.out
    assert "as learned" in after.out
    folder = vimmerse("caption", photos, "-o", "photos.csv", "--dry-run")
    assert "uploads needed      3\n" in folder.out
    assert len(emulator.requests) == 40


def test_rejected_rows(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """A row that was rejected is asked again with --retry-errors only, all or those of a class."""
    emulator.reset(faults=[Fault("status", status=422, contains="/3.png")])
    write_urls(place / "in.txt", 6)
    ended = vimmerse("caption", "in.txt", "-o", "out.csv")
    assert ended.code == 1
    assert (
        "to ask failed rows again: vimmerse caption in.txt -o out.csv --retry-errors" in ended.err
    )
    emulator.reset()
    again = vimmerse("caption", "in.txt", "-o", "out.csv")
    assert again.code == 1
    assert "line 4: HTTP 422: " in table(place / "out.csv")[3]["error"]
    assert (
        vimmerse("caption", "in.txt", "-o", "out.csv", "--retry-errors", "NotFoundError").code == 1
    )
    assert not emulator.requests
    words = ("--retry-errors", "NotFoundError,UnprocessableEntityError")
    assert vimmerse("caption", "in.txt", "-o", "out.csv", *words).code == 0
    assert asked(emulator) == ["https://a.example/3.png"]
    wrong = vimmerse("caption", "in.txt", "--retry-errors", "NoFoundError")
    assert wrong.code == 2
    assert "'NoFoundError' is no HTTP status of an error, such as 404, and no class" in wrong.err


def test_bad_rows_stay_their_own(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """Each bad row keeps its line and reason, also out of the journal; a mended one is asked."""
    bad = "u,t\nhttps://a.example/1,a\n,b\nhttp://a.example/2,c\n,d\nx,y,z\n"
    (place / "in.csv").write_text(bad)
    for _ in range(2):
        assert vimmerse("caption", "in.csv", "--column", "u", "-o", "out.csv").code == 1
        errors = [row["error"] for row in table(place / "out.csv")]
        assert errors[0] == ""
        assert errors[1] == "line 3: column u is empty"
        assert errors[2].startswith("line 4: ")
        assert "https://" in errors[2]
        assert errors[3] == "line 5: column u is empty"
        assert errors[4].startswith("line 6: has 3 fields")
    (place / "in.csv").write_text(bad.replace("\n,d", "\nhttps://a.example/4,d"))
    vimmerse("caption", "in.csv", "--column", "u", "-o", "out.csv")
    assert [bool(row["prompt"]) for row in table(place / "out.csv")] == [
        True, False, False, True, False,
    ]  # fmt: skip
    assert len(emulator.requests) == 2


def test_changed_catalog(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """A catalog that was reordered, grown or cut asks what is new and comes out as it is now."""
    write_urls(place / "in.txt", 20)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    lines = (place / "in.txt").read_text().splitlines()
    for order in (lines[::-1], [*lines[5:], "https://a.example/new.png"], lines[:3]):
        (place / "in.txt").write_text("\n".join(order) + "\n")
        assert vimmerse("caption", "in.txt", "-o", "out.csv").code == 0
        assert [row["url"] for row in table(place / "out.csv")] == order
        for row in table(place / "out.csv"):
            assert row["url"].rpartition("/")[2] in row["prompt"]
    assert len(emulator.requests) == 21


def test_keys(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """With --key-column a row whose URL was signed anew is the same row."""
    for signature in ("one", "two"):
        (place / "in.csv").write_text(
            "sku,url\n" + "".join(f"{n},https://a.example/{n}?s={signature}\n" for n in range(9))
        )
        assert vimmerse("caption", "in.csv", "--key-column", "sku", "-o", "out.csv").code == 0
    assert len(emulator.requests) == 9
    assert all(row["url"].endswith("two") for row in table(place / "out.csv"))
    assert "--key-column" in vimmerse("caption", "in.csv", "--key-column", "no").err


def test_pictures_are_known_by_their_bytes(
    vimmerse: Vimmerse, photos: Path, place: Path, emulator: Emulator
) -> None:
    """A picture that is there twice is uploaded and asked once; moved or renamed, not at all."""
    (photos / "again.png").write_bytes((photos / "red.png").read_bytes())
    assert vimmerse("caption", photos, "-o", "out.csv").code == 0
    assert len(emulator.requests) == 6
    (photos / "red.png").rename(photos / "below" / "scarlet.png")
    (photos / "again.png").unlink()
    seen = {row["file"]: row["prompt"] for row in table(place / "out.csv")}
    before = len(emulator.requests)
    planned = vimmerse("caption", photos, "-o", "out.csv", "--dry-run")
    assert "uploads needed" not in planned.out
    assert "calls needed        0" in planned.out
    assert vimmerse("caption", photos, "-o", "out.csv").code == 0
    assert len(emulator.requests) == before
    rows = {row["file"]: row["prompt"] for row in table(place / "out.csv")}
    assert rows == {
        "below/blue.webp": seen["below/blue.webp"],
        "below/scarlet.png": seen["red.png"],
        "green.jpg": seen["green.jpg"],
    }


def test_an_emulator_that_has_ended_hosts_nothing(
    vimmerse: Vimmerse, photos: Path, place: Path, emulator: Emulator
) -> None:
    """Pictures that no answer came for are uploaded again to an emulator, and truly looked at."""
    emulator.reset(credits=1)
    assert vimmerse("caption", photos, "-o", "out.csv").code == 3
    emulator.reset()
    assert vimmerse("caption", photos, "-o", "out.csv").code == 0
    for row, colour in zip(table(place / "out.csv"), ("blue", "green", "red"), strict=True):
        assert colour in row["prompt"]


def test_fresh(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """--fresh asks everything again and keeps the old journal, whose new name is told."""
    write_urls(place / "in.txt", 5)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    for count in (1, 2):
        ended = vimmerse("caption", "in.txt", "-o", "out.csv", "--fresh")
        assert ended.code == 0
        assert f"the journal of before is now out.csv.journal.{count}" in ended.err
    assert len(emulator.requests) == 15
    assert vimmerse("export", "out.csv.journal.1").out.count("\n") == 6


def test_where_the_journal_is(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """Beside the output, where --journal says, or nowhere; stdout has none unless it is given."""
    write_urls(place / "in.txt", 4)
    plain = vimmerse("caption", "in.txt")
    vimmerse("caption", "in.txt", "-o", "a.csv", "--no-journal")
    vimmerse("caption", "in.txt", "-o", "/dev/null", "--to", "csv")
    assert sorted(path.name for path in place.iterdir()) == ["a.csv", "in.txt"]
    given = vimmerse("caption", "in.txt", "--journal", "run.db")
    assert given.out == plain.out
    assert "the journal is run.db" in given.err
    again = vimmerse("caption", "in.txt", "--journal", "run.db", "-o", "b.jsonl")
    assert "4 known already" in again.err
    assert len(emulator.requests) == 16
    both = vimmerse("caption", "in.txt", "--journal", "run.db", "--no-journal")
    assert both.code == 2


def test_export_while_it_runs(start: Start, place: Path, emulator: Emulator) -> None:
    """What is answered can be exported and reported while the run goes on."""
    emulator.reset(latency=0.1)
    write_urls(place / "in.txt", 2_000)
    process = start("caption", "in.txt", "-o", "out.csv")
    wait_until(lambda: len(asked(emulator)) > 60)
    emulator.reset(latency=60)
    for words in (
        ["export", "out.csv", "-o", "now.jsonl"],
        ["report", "out.csv", "-o", "now.html"],
    ):
        ended = subprocess.run([COMMAND, *words], capture_output=True, check=False, timeout=30)
        assert ended.returncode == 0, ended.stderr
    rows = [json.loads(line) for line in (place / "now.jsonl").read_text().splitlines()]
    assert len(rows) == 2_000
    assert 0 < len([row for row in rows if row["prompt"]]) < 2_000
    assert process.poll() is None


def test_second_run_is_refused(start: Start, place: Path, emulator: Emulator) -> None:
    """Two runs never write one journal: the second ends with 2, having sent nothing."""
    emulator.reset(latency=60)
    write_urls(place / "in.txt", 100)
    first = start("caption", "in.txt", "-o", "out.csv")
    wait_until(lambda: len(asked(emulator)) > 3)
    for extra in ((), ("--fresh",)):
        second = start(
            "caption", "in.txt", "-o", "out.csv", "--base-url", "http://127.0.0.1:9", *extra
        )
        _, said = second.communicate(timeout=30)
        assert second.returncode == 2
        assert "journal" in said.splitlines()[-1]
    assert first.poll() is None


def test_foreign_journal(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """Answers of another server never end in this run: refused with 2, nothing sent."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    connection = sqlite3.connect("out.csv.journal", isolation_level=None)
    connection.execute("UPDATE meta SET value = 'https://api.vimmerse.net' WHERE name = 'origin'")
    connection.close()
    ended = vimmerse("caption", "in.txt", "-o", "out.csv")
    assert ended.code == 2
    assert "api.vimmerse.net" in ended.err
    assert "--fresh begins a new one" in ended.err.splitlines()[-1]
    assert "stopped" not in ended.err
    assert len(emulator.requests) == 3


class Gateway(BaseHTTPRequestHandler):
    """A way to the paid API at an address of this machine, as people have for logs and quotas."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self) -> None:
        self.answer(404, b"no such route")

    def do_POST(self) -> None:
        type(self).asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b'"paid for"')

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.asked = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_gateway_on_this_machine_is_paid(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, gateway: str
) -> None:
    """Its captions and the emulator's stay apart, whichever came first."""
    write_urls(place / "in.txt", 3)
    vimmerse("caption", "in.txt", "-o", "out.csv")
    emulated = (place / "out.csv").read_bytes()
    ended = vimmerse("caption", "in.txt", "-o", "out.csv", "--base-url", gateway)
    assert ended.code == 2
    assert f"holds answers of the emulator, not of {gateway}" in ended.err
    assert Gateway.asked == 0
    assert (place / "out.csv").read_bytes() == emulated
    assert vimmerse("caption", "in.txt", "-o", "paid.csv", "--base-url", gateway).code == 0
    assert [row["prompt"] for row in table(place / "paid.csv")] == ["paid for"] * 3
    asked = len(emulator.requests)
    for words in (["--emulator"], []):
        ended = vimmerse("caption", "in.txt", "-o", "paid.csv", *words)
        assert ended.code == 2
        assert f"holds answers of {gateway}, not of the emulator" in ended.err
    assert len(emulator.requests) == asked
    assert vimmerse("caption", "in.txt", "-o", "paid.csv", "--base-url", gateway).code == 0
    assert Gateway.asked == 3


@pytest.mark.parametrize("source", ["folder", "broken"])
def test_no_journal_can_be_made(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, source: str
) -> None:
    """A journal that cannot be used is found before the first call."""
    write_urls(place / "in.txt", 3)
    if source == "folder":
        (place / "out.csv.journal").mkdir()
    else:
        (place / "out.csv.journal").write_bytes(b"no database" * 200)
    ended = vimmerse("caption", "in.txt", "-o", "out.csv")
    assert ended.code in {2, 4}
    assert "out.csv.journal" in ended.err
    assert "Traceback" not in ended.err
    assert not emulator.requests


def test_E5_journal_that_cannot_grow(start: Start, place: Path, emulator: Emulator) -> None:
    """A journal that hits a size limit ends the run with 4; what was kept is kept, and gone on."""
    write_urls(place / "in.txt", 600)

    def limited() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    process = start("caption", "in.txt", "-o", "out.csv", "--limit", "16", preexec_fn=limited)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "cannot be written" in said
    assert "Traceback" not in said
    paid = len(emulator.requests)
    process = start(*printed_command(said))
    assert process.wait(timeout=60) == 0
    assert len(table(place / "out.csv")) == 600
    assert 0 < paid < 600
    assert len(emulator.requests) <= 600 + 32


def test_possible_charges_are_summed(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """What may have been charged without an answer is told for the run and for all runs."""
    write_urls(place / "in.txt", 3)
    emulator.reset(faults=[Fault("truncated", nth=1)])
    assert "1 request may have been charged" in vimmerse("caption", "in.txt", "-o", "out.csv").err
    write_urls(place / "in.txt", 6)
    emulator.reset(faults=[Fault("truncated", nth=1)])
    said = vimmerse("caption", "in.txt", "-o", "out.csv").err
    assert "1 request may have been charged although no answer came, 2 in all runs" in said


def test_order_under_unequal_latencies(vimmerse: Vimmerse, place: Path, emulator: Emulator) -> None:
    """However the answers come, rows stand in the order of the catalog."""
    emulator.reset(latency="uniform:0.001,0.2")
    write_urls(place / "in.txt", 200)
    assert vimmerse("caption", "in.txt", "-o", "out.csv").code == 0
    assert [row["url"] for row in table(place / "out.csv")] == [
        f"https://a.example/{number}.png" for number in range(200)
    ]


def test_a_pipe_resumes_too(
    vimmerse: Vimmerse, start: Start, place: Path, emulator: Emulator
) -> None:
    """Rows of a pipe are kept as those of a file are."""
    write_urls(place / "in.txt", 20)
    text = (place / "in.txt").read_text()
    for lines in (10, 20):
        process = start("caption", "-", "-o", "out.csv", stdin=subprocess.PIPE)
        process.communicate("".join(text.splitlines(keepends=True)[:lines]), timeout=30)
        assert process.returncode == 0
        assert len(table(place / "out.csv")) == lines
    assert len(emulator.requests) == 20


def test_report_of_a_folder(vimmerse: Vimmerse, photos: Path, place: Path) -> None:
    """Pictures are shown from their folder, from where it is now, from a map, or embedded."""
    vimmerse("caption", photos, "-o", "out.csv")
    page = place / "report.html"
    assert vimmerse("report", "out.csv", "--title", "My <photos>").code == 0
    assert (photos / "red.png").as_uri() in page.read_text()
    assert "<title>My &lt;photos&gt;</title>" in page.read_text()
    moved = photos.rename(place / "moved")
    gone = vimmerse("report", "out.csv")
    assert gone.code == 2
    assert "--source FILE names it where it is now" in gone.err
    vimmerse("report", "out.csv", "--answers")
    assert "file:" not in page.read_text().partition('id="rows"')[2].partition("</script>")[0]
    vimmerse("report", "out.csv", "--pictures", moved)
    assert (moved / "below" / "blue.webp").as_uri() in page.read_text()
    vimmerse("report", "out.csv", "--pictures", moved, "--embed")
    assert page.read_text().count("data:image/webp;base64,") == 3
    write_urls(place / "in.txt", 1)
    (place / "here").mkdir()
    (place / "here" / "0.png").write_bytes((moved / "red.png").read_bytes())
    vimmerse("caption", "in.txt", "-o", "urls.csv")
    vimmerse("report", "urls.csv", "--map", "https://a.example/=here")
    assert (place / "here" / "0.png").as_uri() in page.read_text()
    assert vimmerse("report", "urls.csv", "--map", "nonsense").code == 2


@pytest.mark.full
def test_timeout_ends_a_run_against_nobody(vimmerse: Vimmerse, place: Path) -> None:
    """--timeout gives up a server that cannot be reached; the journal still goes on elsewhere."""
    write_urls(place / "in.txt", 5)
    nobody = ("--base-url", "http://127.0.0.1:9", "--timeout", "4")
    begun = time.monotonic()
    ended = vimmerse("caption", "in.txt", "-o", "out.csv", *nobody)
    assert time.monotonic() - begun < 30
    assert ended.code == 3
    assert "nothing was accepted" in ended.err
    assert vimmerse(*printed_command(ended.err)[:4]).code == 0


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_P7_the_journal_goes_away(
    start: Start, place: Path, emulator: Emulator, how: str, vimmerse: Vimmerse
) -> None:
    """It ends with 4, says how far it came and what became of the journal, and can be mended."""
    emulator.reset(latency=0.05)
    write_urls(place / "in.txt", 400)
    journal, aside = place / "out.csv.journal", place / "aside.db"
    process = start("caption", "in.txt", "-o", "out.csv", "--limit", "8")
    wait_until(lambda: len(asked(emulator)) > 60)
    journal.unlink() if how == "deleted" else journal.rename(aside)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    before = len(asked(emulator))
    assert before < 400
    (told,) = [line for line in said.splitlines() if line.startswith("stopped: ")]
    count = int(told.split()[1])
    assert 40 <= count <= before
    assert f"{journal} was {how}" in said
    assert not (place / "out.csv").exists()
    words = shlex.split(said.splitlines()[-1].rpartition(": vimmerse ")[2])
    if how == "moved":
        assert f"was moved to {aside} while" in said
        assert sorted(each.name for each in place.iterdir()) == ["aside.db", "in.txt"]
        aside.rename(journal)
    emulator.reset()
    assert vimmerse(*words).code == 0
    assert len(table(place / "out.csv")) == 400
    assert len(asked(emulator)) <= (400 if how == "deleted" else 400 - count)


def test_P7_the_journal_goes_away_at_the_end(
    vimmerse: Vimmerse, place: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that is gone when its rows are to be written is no success either."""
    from vimmerse_async.cli import catalog_run

    def run(command: Any) -> int:
        code = whole_run(command)
        (place / "out.csv.journal").unlink()
        return code

    whole_run = catalog_run.run
    monkeypatch.setattr(catalog_run, "run", run)
    write_urls(place / "in.txt", 3)
    ended = vimmerse("caption", "in.txt", "-o", "out.csv")
    assert ended.code == 4
    assert "out.csv.journal was deleted or moved meanwhile" in ended.err
    assert not (place / "out.csv").exists()


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of 256 kB, where the tests may mount one."""
    folder = place / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root can mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_E4_P7_the_disk_is_full(vimmerse: Vimmerse, small_disk: Path, emulator: Emulator) -> None:
    """It ends with 4, the count, the reason, and the command that goes on once there is room."""
    write_urls(Path("in.txt"), 1_500)
    ended = vimmerse("caption", "in.txt", "-o", "small/out.csv", "--limit", "8")
    assert ended.code == 4
    count = int(ended.err.partition("stopped: ")[2].split()[0].replace(",", ""))
    assert 10 < count <= len(asked(emulator)) < 1_500
    assert "out.csv.journal cannot be written: database or disk is full" in ended.err
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    before = len(asked(emulator))
    words = shlex.split(ended.err.partition("to go on: vimmerse ")[2].splitlines()[0])
    assert vimmerse(*words).code == 0
    assert len(table(small_disk / "out.csv")) == 1_500
    assert len(asked(emulator)) - before <= 1_500 - count
