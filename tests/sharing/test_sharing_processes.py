"""Processes that share, and what happens to them: killed, stopped, blocked, forked."""

import contextlib
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sharing_kit import Member, Nursery, account, leader_of, wait_for

from benchmarks.sharing.crowd import jain


def rows(nursery: Nursery, folder: Path, count: int = 4, **job: Any) -> list[Member]:
    return [nursery.start(folder, **{"do": "rows", **job}) for _ in range(count)]


def test_processes_share_evenly_and_nothing_is_wasted(nursery: Nursery, tmp_path: Path) -> None:
    """Four processes on 8 places: hardly a refusal, even shares, never more than is allowed."""
    members = rows(nursery, tmp_path, rows=150, loop="uvloop")
    wait_for(lambda: nursery.accepted() > 100)
    nursery.counts(reset=True)
    wait_for(lambda: nursery.accepted() > 200)
    counts = nursery.counts()
    found = [member.found() for member in members]
    assert [(each["done"], each["failed"]) for each in found] == [(150, 0)] * 4
    assert all(member.said() == "" for member in members)
    assert jain(counts["accepted"], [member.name for member in members]) > 0.9
    assert counts["peak"] <= 8
    assert sum(counts["refused"].values()) <= 10


def test_a_killed_leader_fails_nobody(nursery: Nursery, tmp_path: Path) -> None:
    """Leaders die one after the other in the middle of batches, and no row of the others fails."""
    members = rows(nursery, tmp_path, count=4, rows=120)
    alive = {member.pid: member for member in members}
    for _ in range(2):
        asked = nursery.accepted()
        wait_for(lambda asked=asked: nursery.accepted() > asked + 20)
        wait_for(lambda: leader_of(tmp_path) in alive)
        alive.pop(leader_of(tmp_path)).send(signal.SIGKILL)
    found = [member.found() for member in alive.values()]
    assert [(each["done"], each["failed"]) for each in found] == [(120, 0)] * 2
    assert all(member.said() == "" for member in alive.values())


def test_a_stopped_leader_is_overthrown(nursery: Nursery, tmp_path: Path) -> None:
    """Who leads is stopped as by a debugger: the others go on within 2.5 s; it joins them later."""
    members = rows(nursery, tmp_path, count=3, rows=150)
    wait_for(lambda: nursery.accepted() > 30)
    wait_for(lambda: leader_of(tmp_path))
    leader = next(member for member in members if member.pid == leader_of(tmp_path))
    leader.send(signal.SIGSTOP)
    wait_for(lambda: leader_of(tmp_path) != leader.pid, 10.0)
    before = nursery.accepted()
    wait_for(lambda: nursery.accepted() > before + 20)
    leader.send(signal.SIGCONT)
    found = [member.found() for member in members]
    assert [(each["done"], each["failed"]) for each in found] == [(150, 0)] * 3


def test_a_fork_keeps_nothing_alive(nursery: Nursery, tmp_path: Path) -> None:
    """A child that a leader forked holds neither its lock nor its connections when it dies."""
    leader = nursery.start(tmp_path, do="rows", rows=10_000, fork=True)
    wait_for(lambda: leader_of(tmp_path) == leader.pid)
    others = rows(nursery, tmp_path, count=2, rows=80)
    before = nursery.accepted()
    wait_for(lambda: nursery.accepted() > before + 20)
    leader.send(signal.SIGKILL)
    found = [member.found() for member in others]
    assert [(each["done"], each["failed"]) for each in found] == [(80, 0)] * 2
    assert all(member.said() == "" for member in others)
    assert leader_of(tmp_path) in {member.pid for member in others}


def test_a_leader_whose_application_blocks_hinders_nobody(nursery: Nursery, tmp_path: Path) -> None:
    """The leader's loop stands still for half a second, again and again: others' calls go on."""
    blocked = nursery.start(tmp_path, do="calls", seconds=2.5, every=0.5, block=0.5)
    wait_for(lambda: leader_of(tmp_path) == blocked.pid)
    caller = nursery.start(tmp_path, do="calls", seconds=1.5, every=0.02)
    waited = sorted(caller.found()["waited"])
    assert blocked.found()["failed"] == 0
    assert waited[len(waited) // 2] < 0.1
    assert caller.said() == ""


@pytest.mark.full
def test_two_hundred_kills(tmp_path: Path) -> None:
    """20,000 journaled rows in 4 processes and 200 kills: no row is lost, doubled or failed."""
    choice, goods, peak = random.Random(20), [], 0
    with account(64, 0.0, 0.3, 1.0) as url, Nursery(url) as nursery:
        names = [f"m{each}" for each in range(4)]
        jobs = [
            {"do": "rows", "rows": 5_000, "name": name, "journal": str(tmp_path / f"{name}.db")}
            for name in names
        ]
        members = [nursery.start(tmp_path, **job) for job in jobs]
        time.sleep(5.0)
        for kill in range(200):
            nursery.counts(reset=True)
            time.sleep(choice.uniform(0.3, 1.5))
            counts = nursery.counts()
            goods.append(counts["worked"] / counts["seconds"] / 64)
            peak = max(peak, counts["peak"])
            leads = [member.pid == leader_of(tmp_path) for member in members]
            place = leads.index(kill % 2 == 0) if len(set(leads)) == 2 else 0
            members[place].send(signal.SIGKILL)
            wait_for(members[place].has_ended)  # it has its journal until then
            members[place] = nursery.start(tmp_path, **jobs[place])
        found = [member.found(600.0) for member in members]
    for job in jobs:
        with contextlib.closing(sqlite3.connect(job["journal"])) as journal:
            states = journal.execute("SELECT state, count(*) FROM results GROUP BY 1").fetchall()
        assert states == [("answered", 5_000)]
    assert all(each["failed"] == 0 for each in found)
    assert not any("not shared" in member.said() for member in members)
    assert peak <= 64
    sys.stderr.write(f"goodput while a process dies each .9 s: {sum(goods) / len(goods):.3f}\n")
    assert sum(goods) / len(goods) > 0.7  # where the machine has much else to do
