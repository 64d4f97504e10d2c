"""`vimmerse status` without a word: who shares what on this machine."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from scripted_server import KEY, Answer, ScriptedServer
from test_sharing_sessions import Impostor, joined, server

from vimmerse_async import refine_prompt
from vimmerse_async.cli.app import run

__all__ = ["server"]


def test_nobody_shares(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is shared it says how to share."""
    assert run(["status"]) == 0
    assert "VIMMERSE_SHARE=host" in capsys.readouterr().out


async def test_who_shares_and_what_binds(
    server: ScriptedServer, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Processes, in flight, waiting, the rate, what binds and who leads: on one screen."""
    server.script = lambda request: Answer(value="a fox", delay=1.0)
    async with server.session(share="host", limit=2) as session:
        await joined(session)
        calls = [asyncio.ensure_future(refine_prompt(session, str(each))) for each in range(5)]
        async with asyncio.timeout(10):
            seen = session.statistics()
            while (seen.waiting, seen.limit.in_flight) != (3, 2):
                await asyncio.sleep(0.01)
                seen = session.statistics()
        assert await asyncio.to_thread(run, ["status"]) == 0
        shown = re.sub(r" +", " ", capsys.readouterr().out)
        await asyncio.gather(*calls)
    assert f"account {server.url} (" in shown
    assert "shared by 1 process\n" in shown
    assert f"led by process {os.getpid()}\n" in shown
    assert "in flight 2 of 2, held by that limit\n" in shown
    assert "waiting 3\n" in shown
    assert "/s at most, not reached\n" in shown
    assert f" {os.getpid()} 2 3 leads\n" in shown
    assert KEY not in shown
    assert run(["status"]) == 0
    assert "No limit is shared" in capsys.readouterr().out


async def test_a_leader_that_hangs_is_said(
    server: ScriptedServer, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A leader that does not answer is named, within a second."""
    async with Impostor(None).of(server):
        assert await asyncio.to_thread(run, ["status"]) == 0
    assert "does not answer" in capsys.readouterr().out
