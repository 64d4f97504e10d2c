"""Sharing through a Redis server: Debian's redis-server or valkey-server, where one is there."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from scripted_server import KEY as SERVER_KEY
from scripted_server import Answer, ScriptedServer
from sharing_kit import KEY, wait_for
from test_sharing_sessions import Thread

from vimmerse_async import VimmerseSession, gather_prompts, refine_prompt
from vimmerse_async.sharing.redis_server import LEASE, RedisMeeting

BINARY = shutil.which("valkey-server") or shutil.which("redis-server")

pytestmark = [
    pytest.mark.skipif(find_spec("redis") is None, reason="the extra `redis` is not installed"),
    pytest.mark.skipif(BINARY is None, reason="neither valkey-server nor redis-server is there"),
]


class Redis:
    """A server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        words = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(
            [str(BINARY), *words], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def let(self, user: str, rights: str) -> None:
        """Let a user do something."""
        import redis as client

        with client.Redis.from_url(self.url) as connection:
            connection.execute_command("ACL", "SETUSER", user, "on", *rights.split())

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.connect(("127.0.0.1", self.port))
            sock.sendall(b"PING\r\n")
            return sock.recv(5) == b"+PONG"
        return False


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as server:
        server.script = lambda request: Answer(value="a fox", delay=0.02)
        yield server


async def shares(session: VimmerseSession, leads: bool = True) -> None:
    async with asyncio.timeout(20):
        while bool(getattr(session.statistics().sharing, "leader", None)) != leads:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_sessions_share_through_a_server(server: ScriptedServer, redis: Redis) -> None:
    """Two loops keep within one limit, and nothing at the server tells key, address or question."""
    other = Thread(server, limit=3, share=redis.url)
    try:
        async with server.session(share=redis.url) as session:
            await shares(session)
            await asyncio.to_thread(wait_for, lambda: other.session.statistics().sharing.leader)
            heard = Ear(redis)
            texts = [f"a fox no. {number}" for number in range(30)]
            there = other.run(gather_prompts(other.session, texts, option="RefinePrompt"))
            here = await gather_prompts(session, texts, option="RefinePrompt")
            assert len(await there) == len(here) == 30
            sharing = session.statistics().sharing
            assert sharing is not None
            assert (sharing.scope, sharing.processes) == ("redis", 1)
            names = await asyncio.to_thread(_keys, redis)
            assert len(names) == 1
            said = b" ".join(names) + await asyncio.to_thread(heard.all)
            assert len(said) > 40 * 60, "no record was heard"
            for secret in (SERVER_KEY, "a fox", "127.0.0.1"):
                assert secret.encode() not in said
    finally:
        await other.close()
    assert server.most_in_flight <= 3


class Ear:
    """Hears all that goes through a server."""

    def __init__(self, redis: Redis) -> None:
        import redis as client

        self._client: Any = client.Redis.from_url(redis.url)
        self._channel: Any = self._client.pubsub()
        self._channel.psubscribe("*")

    def all(self) -> bytes:
        """Return what was said, and on which channels."""
        found = []
        while (message := self._channel.get_message(timeout=0.1)) is not None:
            if message["type"] == "pmessage":
                found += [message["channel"], message["data"]]
        self._channel.close()
        self._client.close()
        return b" ".join(found)


def _keys(redis: Redis) -> list[bytes]:
    import redis as client

    with client.Redis.from_url(redis.url) as connection:
        found: Any = connection.keys("*")
    return list(found)


async def test_who_leaves_is_missed_at_once(server: ScriptedServer, redis: Redis) -> None:
    """What a closed session had asked for waits no more: its places are not given to nobody."""
    other = Thread(server, limit=2, share=redis.url)
    try:
        async with server.session(share=redis.url) as session:
            await shares(session)
            server.script = lambda request: Answer(value="a fox", delay=0.3)
            texts = [f"a fox no. {number}" for number in range(40)]
            there = other.run(gather_prompts(other.session, texts, option="RefinePrompt"))
            await asyncio.sleep(0.2)
            there.cancel()
            await other.close()
            async with asyncio.timeout(4):  # a silent member is given up after 5 s
                assert await refine_prompt(session, "a hare") == "a fox"
    finally:
        if not other.session.closed:
            await other.close()


async def test_a_stopped_leader_has_lost_its_right(redis: Redis) -> None:
    """A key that was not renewed in time is not led by, even before the server says so."""
    meeting = RedisMeeting(redis.url, "http://a.example", KEY)
    claim = await meeting.claim()
    assert claim is not None
    assert claim.is_held()
    await asyncio.sleep(LEASE)
    assert not claim.is_held()
    second = await meeting.claim()
    assert second is not None
    await asyncio.to_thread(claim.close)
    assert await meeting.claim() is None, "the old one took the right of the new one"
    await asyncio.to_thread(second.close)


async def test_a_server_that_goes_away_stops_nobody(
    server: ScriptedServer, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on within two seconds on a limit of their own, and share again when it is back."""
    async with server.session(share=redis.url) as session:
        await shares(session)
        assert await refine_prompt(session, "a fox")
        await asyncio.to_thread(redis.stop)
        begun = time.monotonic()
        assert await refine_prompt(session, "a fox")
        took = time.monotonic() - begun
        await shares(session, leads=False)
        await asyncio.to_thread(redis.start)
        await shares(session)
        assert await refine_prompt(session, "a fox")
    assert took < 10  # two seconds where the machine has nothing else to do
    assert caplog.text.count("the limit is not shared") == 1


async def test_without_a_server_each_is_alone(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nobody listens it is told once, without the password, and calls go."""
    url = f"redis://:{KEY}@127.0.0.1:1/0"
    async with server.session(share=url) as session:
        assert await refine_prompt(session, "a fox")
    assert caplog.text.count("the limit is not shared") == 1
    assert "at this Redis server: Error 111 connecting to 127.0.0.1:1" in caplog.text
    assert KEY not in caplog.text
    assert KEY not in repr(session)


@pytest.mark.parametrize(
    ("rights", "said"),
    [
        (">another-one", "password"),
        (f">{KEY} ~* +@all resetchannels", "channels"),
        (f">{KEY} ~* &* +@all -eval", "eval"),
    ],
    ids=["password", "channels", "scripts"],
)
async def test_what_the_server_refuses_is_told(
    server: ScriptedServer, redis: Redis, caplog: pytest.LogCaptureFixture, rights: str, said: str
) -> None:
    """A wrong password or a missing right is said in the server's words, once."""
    await asyncio.to_thread(redis.let, "sharer", rights)
    async with server.session(share=redis.url.replace("//", f"//sharer:{KEY}@")) as session:
        assert await refine_prompt(session, "a fox")
        async with asyncio.timeout(10):
            while "not shared" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert caplog.text.count("the limit is not shared") == 1
    assert said in caplog.text
    assert KEY not in caplog.text
