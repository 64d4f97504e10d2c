"""Killed at any moment, a run loses nothing that was reported, and repeats little.

`KILLS=1000 pytest tests/journal/test_journal_kills.py -m full` makes as many kills as it says; 200
over 50,000 questions are the full figure, 20 over 3,000 run every time. `SEED=…` repeats a run.
"""

import os
import random
import signal
import time

import pytest
from kill_kit import Kit, built

from vimmerse_async import JournalReader

KILLS = int(os.environ.get("KILLS", "200"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


def name_of(row):
    return row.request["image_url"].rpartition("/")[2]


def check_reported(kit):
    """P2: what a reader saw since the last look is in the journal, word for word."""
    reports = kit.new_reports()
    if not reports:
        return 0
    with JournalReader(kit.journal) as reader:
        known = {
            row.request["image_url"].rpartition("/")[2]: row.prompt for row in reader.results()
        }
    for name, prompt in reports:
        assert known.get(name) == prompt == f"about {name}"
    return len(reports)


def check_whole(kit):
    """P1: every question ended in exactly one record."""
    with JournalReader(kit.journal) as reader:
        assert reader.counts() == {"answered": kit.rows, "rejected": 0, "unfinished": 0}
        names = [name_of(row) for row in reader.results()]
    assert sorted(map(int, names)) == list(range(kit.rows))
    assert set(kit.asked()) == {str(number) for number in range(kit.rows)}


@pytest.mark.parametrize(
    ("kills", "rows"), [(20, 3_000), pytest.param(KILLS, 250 * KILLS, marks=pytest.mark.full)]
)
def test_E1_P1_P2_P3_killed_at_random(tmp_path, kills, rows):
    """No reported result is missing or changed, none is there twice, and few calls are repeated.

    A kill may cost what is in flight and what is answered and not on disk yet: two windows.
    """
    rng = random.Random(SEED)
    repeated, killed, worst = 0, 0, 0
    with Kit(tmp_path, rows) as kit:
        while killed < kills:
            calls = rng.randrange(0, rows // kills // 2)
            status = kit.kill_after(calls, rng.random() / 200)
            if status == 0:
                break
            assert status == -signal.SIGKILL, kit.said()
            killed += 1
            asked = kit.asked()
            now = sum(asked.values()) - len(asked)
            worst, repeated = max(worst, now - repeated), now
            if rows <= 3_000:  # reads the whole journal; of more rows all are looked at in the end
                check_reported(kit)
        assert kit.run() == 0, kit.said()
        check_reported(kit)
        check_whole(kit)
        repeated = sum(kit.asked().values()) - rows
        with JournalReader(kit.journal) as reader:
            runs = reader.runs()
    told = f"{killed} kills, {rows:,} rows, {repeated} calls repeated, {worst} by one kill"
    print(f"seed {SEED}: {told}, window {kit.window}")  # noqa: T201
    assert killed == kills
    assert worst <= 2 * kit.window
    assert repeated <= 2 * kit.window * killed
    assert sum(run.outcome == "killed" for run in runs) >= killed // 2
    assert runs[-1].outcome == "finished"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """The library that stands between a process and its disk."""
    library = built(tmp_path_factory.mktemp("disk"))
    if library is None:
        pytest.skip("needs Linux and a C compiler")
    return library


COUNT, KILL, FAIL_ONCE, FAIL_ALWAYS, SHORT = range(5)
EIO, EINTR, ENOSPC, EROFS = 5, 4, 28, 30
STEPS = [pytest.param(9, id="every 9th"), pytest.param(1, id="every", marks=pytest.mark.full)]


def points(folder, disk, step):
    """Return the numbers of the disk operations of a run of 50 rows at which to strike."""
    folder.mkdir()
    with Kit(folder, 50, 8, preload=disk) as kit:
        assert kit.run(disk=[COUNT, 0, 0]) == 0
        count = int(kit.said().split()[-1])
    assert count > 40
    return range(1, count + 10, step)


def fresh(kit):
    for each in kit.journal.parent.iterdir():
        if each.name.startswith("run.db"):
            each.unlink()
    kit.calls.write_text("")
    kit.new_reports()


@pytest.mark.parametrize("step", STEPS)
def test_E2_killed_at_every_write(tmp_path, disk, step):
    """Killed at any one disk operation of a run, the next run makes it whole."""
    with Kit(tmp_path, 50, 8, preload=disk) as kit:
        for point in points(tmp_path / "count", disk, step):
            fresh(kit)
            status = kit.run(disk=[KILL, point, 0])
            assert status in {0, -signal.SIGKILL}, kit.said()
            if kit.journal.exists() and kit.journal.stat().st_size and kit.asked():
                check_reported(kit)
            assert kit.run() == 0, f"point {point}: {kit.said()}"
            check_reported(kit)
            check_whole(kit)
            assert sum(kit.asked().values()) <= 50 + 2 * kit.window


@pytest.mark.parametrize("step", [pytest.param(17, id="every 17th"), STEPS[1]])
@pytest.mark.parametrize(
    ("mode", "error"),
    [(FAIL_ONCE, EIO), (FAIL_ALWAYS, EIO), (FAIL_ALWAYS, ENOSPC), (SHORT, 0)],
    ids=["once", "for ever", "no space", "short write"],
)
def test_E3_E6_P7_every_disk_operation_fails(tmp_path, disk, step, mode, error):
    """A failed write or flush ends the run with a JournalError; what was reported is kept."""
    with Kit(tmp_path, 50, 8, preload=disk) as kit:
        failed = 0
        for point in points(tmp_path / "count", disk, step):
            fresh(kit)
            status = kit.run(disk=[mode, point, error])
            assert status in {0, 3}, f"point {point}: {kit.said()}"
            failed += status == 3
            if status == 3:
                assert kit.said().startswith(("write: ", "corrupt: ")), kit.said()
            if kit.asked():
                check_reported(kit)
            else:
                assert status == 3
            assert kit.run() == 0, f"point {point}: {kit.said()}"
            check_reported(kit)
            check_whole(kit)
            assert sum(kit.asked().values()) <= 50 + 2 * kit.window
    assert failed or mode == SHORT


def test_E25_a_process_that_was_stopped_goes_on(tmp_path):
    """Stopped for a while, as in a laptop that sleeps, a run loses nothing and repeats nothing."""
    with Kit(tmp_path, 3_000) as kit:
        pid = kit.start()
        for _ in range(3):
            while kit.calls.stat().st_size < 500:
                time.sleep(0.005)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.05)
        assert kit.wait() == 0
        check_reported(kit)
        check_whole(kit)
        assert sum(kit.asked().values()) == 3_000
