"""Sessions that share their limit: in one process, with real sockets and threads."""

import asyncio
import errno
import logging
import math
import os
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from scripted_server import KEY as SERVER_KEY
from scripted_server import Answer, ScriptedServer

from vimmerse_async import (
    ConfigurationError,
    OverloadedError,
    VimmerseSession,
    gather_prompts,
    refine_prompt,
)
from vimmerse_async.control import FixedLimit, LimitSnapshot
from vimmerse_async.sharing.folder import find_place
from vimmerse_async.sharing.host import HostMeeting
from vimmerse_async.sharing.records import LAYOUT, VERSION, Kind, Record, pack

KEY = "sharing-key-of-nobody"


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "vimmerse_async")
    return lambda: [each.getMessage() for each in caplog.records if each.name == "vimmerse_async"]


class Thread:
    """A loop of its own in a thread, with an open session."""

    def __init__(self, server: ScriptedServer, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.session = server.session(**{"share": "host", **options})
        self.run_now(self.session.__aenter__())

    def run(self, work: Any) -> "asyncio.Future[Any]":
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def run_now(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def close(self) -> None:
        await self.run(self.session.aclose())
        await self.run(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    @staticmethod
    async def _finish() -> None:
        """Let end what is ending, as `asyncio.run` does."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)


async def joined(session: VimmerseSession) -> None:
    async with asyncio.timeout(10):
        while True:
            sharing = session.statistics().sharing
            if sharing is not None and sharing.leader:
                return
            await asyncio.sleep(0.005)


async def test_threads_with_loops_of_their_own_share(server: ScriptedServer, place: Path) -> None:
    """Sessions of two loops are two members, and together keep within the lower number."""
    server.script = lambda request: Answer(value="a fox", delay=0.02)
    other = Thread(server, limit=3)
    try:
        async with server.session(share="host") as session:
            texts = [f"a fox no. {number}" for number in range(30)]
            there = other.run(gather_prompts(other.session, texts, option="RefinePrompt"))
            here = await gather_prompts(session, texts, option="RefinePrompt")
            assert len(await there) == len(here) == 30
            sharing = session.statistics().sharing
            assert sharing is not None
            assert (sharing.scope, sharing.processes) == ("host", 1)
            assert sharing.leader == os.getpid()
            assert session.statistics().limit.latency > 0
    finally:
        await other.close()
    assert server.most_in_flight <= 3


async def test_sessions_of_one_loop_are_one_member(server: ScriptedServer, place: Path) -> None:
    """Several sessions of an account in one loop have one gate; the last that closes leaves."""
    server.script = lambda request: Answer(value="a fox", delay=0.02)
    async with server.session(share="host", limit=2) as first:
        async with server.session(share="host", limit=2) as second:
            await joined(first)
            assert first.gate is second.gate
            texts = [[f"{name} no. {number}" for number in range(10)] for name in ("a", "b")]
            await asyncio.gather(
                gather_prompts(first, texts[0], option="RefinePrompt"),
                gather_prompts(second, texts[1], option="RefinePrompt"),
            )
        assert await refine_prompt(first, "a hare")
        sharing = first.statistics().sharing
        assert sharing is not None
        assert sharing.leader == os.getpid()
    assert server.most_in_flight == 2


async def test_a_wait_for_all_is_kept(server: ScriptedServer, place: Path) -> None:
    """While a server asks everybody to wait, a process that shares asks for no permit."""
    async with server.session(share="host") as session:
        await joined(session)
        gate = session.gate
        gate.shut_until = asyncio.get_running_loop().time() + 0.3
        begun = asyncio.get_running_loop().time()
        assert await refine_prompt(session, "a fox")
        assert asyncio.get_running_loop().time() - begun >= 0.3


async def test_what_an_earlier_run_learned_is_told_to_who_leads(
    server: ScriptedServer, place: Path
) -> None:
    """A journal that is opened when the limit is shared already warms the limit of all up."""
    async with server.session(share="host") as session:
        await joined(session)
        session.gate.limit.warm_up(LimitSnapshot(40.0, math.inf, 0, suspect="window"))  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while session.statistics().limit.window != 40.0:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_what_nobody_foresaw_is_no_end(
    server: ScriptedServer, place: Path, warnings: Callable[[], list[str]]
) -> None:
    """A meeting place that fails in a way of its own leaves a process alone, and nobody waiting."""

    class Broken:
        scope, patience, starting = "host", 1.0, 1.0

        async def claim(self) -> None:
            raise RuntimeError("no idea")

        connect = overthrow = claim

        def holder(self) -> object:
            return None

    async with server.session(share=Broken()) as session:
        assert await refine_prompt(session, "a fox")
    assert len(warnings()) == 1
    assert "RuntimeError: no idea" in warnings()[0]


async def test_a_meeting_place_that_hangs_holds_nobody_up(
    server: ScriptedServer, place: Path, warnings: Callable[[], list[str]]
) -> None:
    """Who asks for the right to lead and gets no answer goes on alone meanwhile, and says so."""

    class Hanging:
        scope, patience, starting = "redis", 0.1, 0.1

        async def claim(self) -> None:
            await asyncio.Event().wait()

        connect = overthrow = claim

        def holder(self) -> object:
            return None

    async with server.session(share=Hanging()) as session:
        assert await refine_prompt(session, "a fox")
        assert await refine_prompt(session, "a hare")
    assert len(warnings()) == 1
    assert "at this Redis server: whoever leads does not answer" in warnings()[0]


async def test_who_leaves_lets_another_lead(server: ScriptedServer, place: Path) -> None:
    """The session that led is closed in the middle of another's batch: nothing fails."""
    first = Thread(server)
    try:
        await first.run(refine_prompt(first.session, "a fox"))
        async with server.session(share="host") as session:
            await joined(session)
            batch = asyncio.ensure_future(
                gather_prompts(session, map(str, range(300)), option="RefinePrompt")
            )
            await asyncio.sleep(0.05)
            await first.close()
            assert len(await batch) == 300
            sharing = session.statistics().sharing
            assert sharing is not None
            assert sharing.leader == os.getpid()
    finally:
        if not first.session.closed:
            await first.close()


async def test_a_cleaner_of_temporary_files_is_survived(
    server: ScriptedServer, place: Path
) -> None:
    """Lock and socket are removed in the middle of a batch: who leads is found anew."""
    async with server.session(share="host") as session:
        await joined(session)
        batch = asyncio.ensure_future(
            gather_prompts(session, map(str, range(400)), option="RefinePrompt")
        )
        await asyncio.sleep(0.05)
        for path in (place / "vimmerse").iterdir():
            path.unlink()
        assert len(await batch) == 400
        await joined(session)


async def test_an_unsafe_folder_is_told_once(
    server: ScriptedServer, place: Path, warnings: Callable[[], list[str]]
) -> None:
    """Where processes cannot meet, each goes on alone, and says so once and why."""
    (place / "vimmerse").mkdir()
    (place / "vimmerse").chmod(0o777)
    async with server.session(share="host") as session:
        assert await refine_prompt(session, "a fox")
        assert len(await gather_prompts(session, ["a", "b"], option="RefinePrompt")) == 2
        sharing = session.statistics().sharing
        assert sharing is not None
        assert (sharing.processes, sharing.leader) == (1, None)
        assert "chmod 700" in sharing.alone
    assert len(warnings()) == 1
    assert "chmod 700" in warnings()[0]


async def test_a_full_disk_is_told_once(
    server: ScriptedServer, place: Path, warnings: Callable[[], list[str]]
) -> None:
    """Where no byte can be written, a process goes on alone, and says so once."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        async with server.session(share="host") as session:
            assert await refine_prompt(session, "a fox")
            assert await refine_prompt(session, "a hare")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(warnings()) == 1
    assert "File too large" in warnings()[0]
    assert not list((place / "vimmerse").iterdir())


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "no files"), RuntimeError("no thread")])
async def test_who_cannot_lead_lets_others(
    server: ScriptedServer, place: Path, monkeypatch: pytest.MonkeyPatch, error: Exception,
    warnings: Callable[[], list[str]],
) -> None:  # fmt: skip
    """Without a descriptor or thread for a leader one goes on alone, holds no lock, and mends."""

    class Thread(threading.Thread):
        def start(self) -> None:
            raise error

    monkeypatch.setattr("vimmerse_async.sharing.membership.LATER", 0.1)
    async with server.session(share="host") as session:
        with monkeypatch.context() as patch:
            patch.setattr("vimmerse_async.sharing.leader.threading.Thread", Thread)
            assert await refine_prompt(session, "a fox")
            while not warnings():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            claim = await HostMeeting(lambda: find_place(server.url, SERVER_KEY), "other").claim()
            assert claim is not None
            claim.close()
        await joined(session)
    assert warnings()[0].count("nobody can lead here") == 1
    assert warnings()[1:] == ["the limit is shared again"]


class Impostor:
    """Holds the right to lead, and answers what it is told to."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    async def __aenter__(self) -> Self:
        self.met = 0
        claim = await HostMeeting(self._find, "impostor").claim()
        assert claim is not None
        self._claim, self._streams = claim, []
        if self._answer is not None:
            claim.open(self._welcome)
        return self

    def _welcome(self, make: Any) -> None:
        self.met += 1
        stream = make(lambda _records: None, lambda: None)
        stream.send(self._answer)
        self._streams.append(stream)

    async def __aexit__(self, *_: object) -> None:
        for stream in self._streams:
            stream.close()
        self._claim.close()

    def of(self, server: ScriptedServer) -> "Impostor":
        self._find = lambda: find_place(server.url, SERVER_KEY)
        return self


async def test_another_version_leads(
    server: ScriptedServer, place: Path, warnings: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Beside another version one goes on alone, says so once, asks rarely, and shares after it."""
    refusal = pack(Record(Kind.REFUSED, flag=VERSION + 1))
    monkeypatch.setattr("vimmerse_async.sharing.membership.LATER", 1.5)
    async with AsyncExitStack() as old:
        leader = await old.enter_async_context(Impostor(refusal).of(server))
        async with server.session(share="host") as session:
            assert await refine_prompt(session, "a fox")
            await asyncio.sleep(0.6)
            assert leader.met == 1
            assert len(warnings()) == 1
            await old.aclose()
            await joined(session)
    assert "another version" in warnings()[0]
    assert warnings()[1:] == ["the limit is shared again"]


@pytest.mark.parametrize("answer", [None, b"", b"\xff" * LAYOUT.size], ids=["mute", "deaf", "wild"])
async def test_a_leader_that_hangs_is_overthrown(
    server: ScriptedServer, place: Path, answer: bytes | None,
    warnings: Callable[[], list[str]],
) -> None:  # fmt: skip
    """Who holds the right to lead and says nothing, or nonsense, for a second loses it."""
    async with Impostor(answer).of(server), server.session(share="host") as session:
        assert await refine_prompt(session, "a fox")
        await joined(session)
    assert warnings() == []


async def test_nonsense_ends_one_connection(server: ScriptedServer, place: Path) -> None:
    """What is no record closes the connection that it came on, and no other."""
    async with server.session(share="host") as session:
        await joined(session)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(find_place(server.url, SERVER_KEY).socket))
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n")
            assert await asyncio.to_thread(stranger.recv, 1) == b""
        assert await refine_prompt(session, "a fox")
        sharing = session.statistics().sharing
        assert sharing is not None
        assert sharing.leader


async def test_crowds_are_turned_away_where_the_account_is_full(
    server: ScriptedServer, place: Path
) -> None:
    """`max_waiting=0` lets calls go while there is room, and turns them away at once else."""
    server.script = lambda request: Answer(value="a fox", delay=1.0)
    async with server.session(share="host", limit=2, max_waiting=0) as session:
        await joined(session)
        calls = [asyncio.ensure_future(refine_prompt(session, str(number))) for number in range(2)]
        while session.statistics().limit.binding is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError):
            await refine_prompt(session, "one more")
        assert await asyncio.gather(*calls) == ["a fox"] * 2


@pytest.mark.parametrize("share", ["cluster", "", 3, "HOST"])
def test_a_share_that_does_not_exist_is_refused(share: Any) -> None:
    """A word that names no way to share says which there are."""
    with pytest.raises(ConfigurationError, match="must be 'host', for all"):
        VimmerseSession(KEY, share=share)


def test_a_limit_object_cannot_be_shared() -> None:
    """A limit of one's own has no way into other processes."""
    with pytest.raises(ConfigurationError, match="limit must be a whole number or None where it"):
        VimmerseSession(KEY, share="host", limit=FixedLimit(3))


async def test_the_variable_decides_where_nothing_is_said(
    server: ScriptedServer, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VIMMERSE_SHARE is for processes whose code says nothing; `share="off"` overrules it."""
    monkeypatch.setenv("VIMMERSE_SHARE", "host")
    async with server.session() as session, server.session(share="off") as alone:
        assert session.statistics().sharing is not None
        assert alone.statistics().sharing is None
    monkeypatch.setenv("VIMMERSE_SHARE", "nobody")
    with pytest.raises(ConfigurationError, match="VIMMERSE_SHARE"):
        server.session()
