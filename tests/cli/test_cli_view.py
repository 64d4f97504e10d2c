"""A page beside a run: it is watched, paused, gone on with, capped and stopped."""

import json
import re
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any

from cli_kit import wait_until, write_urls
from test_cli_sample import calls

from vimmerse_async.journal.marks import Marks


def ask(address: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read())


def order(address: str, name: str, value: str | None) -> None:
    ask(address, "api/orders", {"name": name, "value": value})


def moment(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT state FROM moments ORDER BY run DESC").fetchone()
    connection.close()
    return json.loads(found[0]) if found else {}


def test_a_run_is_told_by_the_page(start, emulator, place: Path):
    """The page pauses a run, lets it go on, changes its cap and stops it; all is kept."""
    write_urls(place / "a.txt", 3_000)
    emulator.reset(latency=0.05)
    running = start("caption", "a.txt", "-o", "o.csv", "--limit", "2", "--max-calls", "2900")
    wait_until(lambda: calls(emulator) > 3)
    page = start("view", "o.csv", "--no-open")
    assert page.stderr is not None
    line = page.stderr.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+/\S+/", line)
    assert address is not None, line
    base, journal = address[0], place / "o.csv.journal"
    with urllib.request.urlopen(base + "api/events", timeout=30) as events:
        events.readline()
        wait_until(lambda: moment(journal).get("cap") == 2900)
        order(base, "pause", "1")
        wait_until(lambda: moment(journal).get("paused"))
        wait_until(lambda: not emulator.account.log.in_flight)
        events.readline()
        before = calls(emulator)
        wait_until(lambda: events.readline() and events.readline())
        assert calls(emulator) <= before + 2
        order(base, "pause", None)
        wait_until(lambda: calls(emulator) > before + 4)
        order(base, "max_calls", "2000")
        wait_until(lambda: moment(journal).get("cap") == 2000)
        rows = ask(base, "api/rows?state=answered&count=2")
        assert rows["rows"][0]["prompt"]
        order(base, "stop", "1")
        _, told = running.communicate(timeout=60)
    assert "stopping, as the page says" in told
    assert calls(emulator) < 2_000
    assert len((place / "o.csv").read_text().splitlines()) == 3_001
    page.terminate()
    page.wait(timeout=30)


def test_no_page(vimmerse, place: Path):
    """Without a journal, or with a column that is not there, the command says so."""
    assert vimmerse("view", "nothing.csv", "--no-open").code == 2
    write_urls(place / "a.txt", 2)
    vimmerse("caption", "a.txt", "-o", "o.csv")
    refused = vimmerse("view", "o.csv", "--no-open", "--label-column", "colour")
    assert (refused.code, "there are url" in refused.err) == (2, True)


def test_an_old_order_is_none(vimmerse, place: Path):
    """What the page told an earlier run says nothing to the next one."""
    write_urls(place / "a.txt", 5)
    vimmerse("caption", "a.txt", "-o", "o.csv", "--max-calls", "1")
    for name, value in (("pause", "1"), ("stop", "1"), ("max_calls", "0")):
        Marks(place / "o.csv.journal").order(name, value)
    assert vimmerse("caption", "a.txt", "-o", "o.csv").code == 0
