"""The meeting place of several hosts: a Redis server, or Valkey, that carries the records.

Whoever holds a key that expires leads, and renews it; what is said goes through channels, one of
the leader's and one of each member's. The server decides nothing and keeps nothing: while it is
away each goes on alone, and when it comes back they meet again.
"""

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

from vimmerse_async.errors import ConfigurationError
from vimmerse_async.sharing.meeting import Claim, OnLost, OnMember, OnRecords
from vimmerse_async.sharing.outbox import Outbox
from vimmerse_async.sharing.records import ProtocolError, Reader

LEASE = 1.5
"""Seconds after which a leader that says nothing has lost its right."""
RENEWED = 0.3
"""Seconds between two renewals."""
TIMEOUT = 1.0
"""Seconds in which a server answers that is there."""
_ID = 16
_TAKE = "return redis.call('set',KEYS[1],ARGV[1],'nx','px',ARGV[2]) and 1 or 0"
_RENEW = "return redis.call('get',KEYS[1])==ARGV[1] and redis.call('pexpire',KEYS[1],ARGV[2]) or 0"
_GIVE = "return redis.call('get',KEYS[1])==ARGV[1] and redis.call('del',KEYS[1]) or 0"


class RedisMeeting:
    """The processes of one account at one Redis server.

    Args:
        url: The server's address.
        base_url, key: Name the account; neither is told.

    Raises:
        ConfigurationError: The extra `redis` is not installed.
    """

    scope: str = "redis"
    patience: float = 1.0
    starting: float = 1.0

    def __init__(self, url: str, base_url: str, key: str) -> None:
        try:
            import redis.asyncio  # pyright: ignore[reportMissingImports]  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "share='redis://…' needs the extra `redis`: pip install \"vimmerse-async[redis]\"",
                field="share",
            ) from None
        self._errors = (redis.RedisError, OSError, TimeoutError)
        self._make: Callable[[], Any] = lambda: redis.asyncio.Redis.from_url(
            url, socket_timeout=None, socket_connect_timeout=TIMEOUT, retry=None,
        )  # fmt: skip
        self._give: Callable[[], Any] = lambda: redis.Redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
        )
        secret = hashlib.blake2b(key.encode(), digest_size=32).digest()
        account = hashlib.blake2b(base_url.encode(), key=secret, digest_size=10).hexdigest()
        self._name = f"vimmerse:{account}"

    async def claim(self) -> Claim | None:
        """Return the right to lead; None while another has it."""
        token = os.urandom(_ID)
        lease = round(1000 * LEASE)
        server = self._make()
        try:
            async with asyncio.timeout(TIMEOUT):
                # As a script, too: who may run none could not renew it.
                if not await server.eval(_TAKE, 1, f"{self._name}:leader", token, lease):
                    return None
        except self._errors as error:
            raise _said(error) from None
        finally:
            await _close(server)
        return RedisClaim(self._make, self._give, self._errors, self._name, token)

    async def connect(self, on_records: OnRecords, on_lost: OnLost) -> "RedisChannel":
        """Return a channel to the leader."""
        server, me = self._make(), os.urandom(_ID)
        try:
            async with asyncio.timeout(TIMEOUT):
                channel = await _subscribed(server, f"{self._name}:{me.hex()}")
                count = (await server.pubsub_numsub(f"{self._name}:desk"))[0][1]
        except self._errors as error:
            await _close(server)
            raise _said(error) from None
        except BaseException:
            await _close(server)
            raise
        if not count:
            await _close(channel)
            await _close(server)
            raise OSError
        line = Line(server, channel, self._errors)
        return RedisChannel(line, f"{self._name}:desk", me, on_records, on_lost)

    def holder(self) -> object:
        """Return always the same: who hangs loses its right by itself."""
        return None

    async def overthrow(self, holder: object) -> Claim | None:  # noqa: ARG002 - as all
        """Return None: who hangs loses its right by itself."""
        return None


class Line:
    """A connection that hears a channel and says things on others, in turn."""

    def __init__(self, server: Any, channel: Any, errors: tuple[type[Exception], ...]) -> None:
        self._server, self._channel = server, channel
        self._ends: tuple[type[Exception], ...] = (*errors, ProtocolError)
        self._out: list[tuple[str, bytes]] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(
        self,
        hear: Callable[[bytes], None],
        lose: Callable[[], None],
        miss: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            hear: Told what is heard.
            lose: Called once when nothing can be heard any more.
            miss: Told the channel that nobody hears any more.
        """
        self._task = asyncio.get_running_loop().create_task(self._live(hear, lose, miss))

    def say(self, where: str, data: bytes) -> None:
        """Say something soon."""
        self._out.append((where, data))
        self._changed.set()

    def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _live(
        self,
        hear: Callable[[bytes], None],
        lose: Callable[[], None],
        miss: Callable[[str], None],
    ) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(hear))
                group.create_task(self._speak(miss))
        except* self._ends:
            self._task = None  # it ends by itself
            lose()
        finally:
            await _close(self._channel)
            await _close(self._server)

    async def _hear(self, hear: Callable[[bytes], None]) -> None:
        async for message in self._channel.listen():
            hear(message["data"])

    async def _speak(self, miss: Callable[[str], None]) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            out, self._out = self._out, []
            async with asyncio.timeout(TIMEOUT):
                pipe = self._server.pipeline(transaction=False)
                for where, data in out:
                    pipe.publish(where, data)
                heard = await pipe.execute()
            for (where, _), by in zip(out, heard, strict=True):
                if not by:
                    miss(where)


class RedisChannel:
    """One end of what a member and the leader say to each other."""

    def __init__(
        self, line: Line, where: str, me: bytes, on_records: OnRecords, on_lost: OnLost
    ) -> None:
        self._line, self._where, self._me = line, where, me
        self._reader, self._outbox = Reader(), Outbox(self._leave)
        self._on_lost = on_lost
        self._is_closed = False
        line.start(lambda data: self._heard(data, on_records), self._lose, lambda _: self._lose())

    def send(self, data: bytes) -> None:
        """Say something at the end of this tick of the loop."""
        self._outbox.send(data)

    def flush(self) -> None:
        """Say now what is to be said."""
        self._outbox.flush()

    def close(self) -> None:
        """Leave."""
        self._is_closed = True
        self._line.close()

    def _leave(self, data: bytes) -> None:
        if not self._is_closed:
            self._line.say(self._where, self._me + data)

    def _heard(self, data: bytes, on_records: OnRecords) -> None:
        if not self._is_closed:
            on_records(self._reader.feed(data))

    def _lose(self) -> None:
        if not self._is_closed:
            self.close()
            self._on_lost()


class RedisClaim:
    """A key that is held, and the leader's end of every channel."""

    def __init__(
        self,
        make: Callable[[], Any],
        give: Callable[[], Any],
        errors: tuple[type[Exception], ...],
        name: str,
        token: bytes,
    ) -> None:
        self._make, self._give, self._errors = make, give, errors
        self._name, self._token = name, token
        self._held = True
        self._until = time.monotonic() + LEASE
        self._members: dict[bytes, DeskChannel] = {}
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self, on_member: OnMember) -> None:
        """Let members come, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._lead(on_member))

    def is_held(self) -> bool:
        """Return whether the key was renewed in time; a process that was stopped has lost it."""
        return self._held and time.monotonic() < self._until

    def close(self) -> None:
        """Let others lead."""
        self._held = False
        if self._task is not None:
            self._task.cancel()
        if self._line is not None:
            self._line.close()
        with contextlib.suppress(*self._errors), self._give() as server:
            server.eval(_GIVE, 1, f"{self._name}:leader", self._token)

    async def _lead(self, on_member: OnMember) -> None:
        server = self._make()
        try:
            async with asyncio.timeout(TIMEOUT):
                channel = await _subscribed(server, f"{self._name}:desk")
            self._line = Line(self._make(), channel, self._errors)
            self._line.start(lambda data: self._hear(data, on_member), self._lose, self._miss)
            while self._held:
                await asyncio.sleep(RENEWED)
                async with asyncio.timeout(TIMEOUT):
                    lease, begun = round(1000 * LEASE), time.monotonic()
                    key = f"{self._name}:leader"
                    self._held = bool(await server.eval(_RENEW, 1, key, self._token, lease))
                    self._until = begun + LEASE
        except self._errors:
            self._held = False
        finally:
            await _close(server)

    def _hear(self, data: bytes, on_member: OnMember) -> None:
        who, line = data[:_ID], self._line
        if len(who) < _ID or line is None:
            return
        member = self._members.get(who)
        if member is None:
            where = self._channel_of(who)
            member = self._members[who] = DeskChannel(line, where, lambda: self._members.pop(who))
            known = member

            def make(on_records: OnRecords, on_lost: OnLost) -> DeskChannel:
                known.tell(on_records, on_lost)
                return known

            on_member(make)
        member.take(data[_ID:])

    def _channel_of(self, who: bytes) -> str:
        return f"{self._name}:{who.hex()}"

    def _lose(self) -> None:
        self._held = False

    def _miss(self, where: str) -> None:
        who = bytes.fromhex(where.removeprefix(f"{self._name}:"))
        if who in self._members:
            self._members[who].lose()


class DeskChannel:
    """The leader's end of one member's channel."""

    def __init__(self, line: Line, where: str, forget: Callable[[], object]) -> None:
        self._line, self._where, self._forget = line, where, forget
        self._reader, self._out = Reader(), bytearray()
        self._is_closed = False

    def tell(self, on_records: OnRecords, on_lost: OnLost) -> None:
        """Say who is told what arrives."""
        self._on_records, self._on_lost = on_records, on_lost

    def take(self, data: bytes) -> None:
        """Let something arrive."""
        try:
            self._on_records(self._reader.feed(data))
        except ProtocolError:
            self.lose()

    def lose(self) -> None:
        """Take note that the member is gone."""
        if not self._is_closed:
            self.close()
            self._on_lost()

    def send(self, data: bytes) -> None:
        """Say something soon."""
        self._out += data

    def flush(self) -> None:
        """Say now what is to be said."""
        if self._out and not self._is_closed:
            self._line.say(self._where, bytes(self._out))
        self._out.clear()

    def close(self) -> None:
        """Forget the member."""
        if not self._is_closed:
            self._is_closed = True
            self._forget()


async def _subscribed(server: Any, where: str) -> Any:
    """Return what hears a channel, once the server has said that it does."""
    channel = server.pubsub(ignore_subscribe_messages=True)
    await channel.subscribe(where)
    await channel.get_message(timeout=TIMEOUT)
    return channel


def _said(error: Exception) -> OSError:
    """Return what a server or its client said, for people; neither tells a password."""
    return OSError(str(error) or "it does not answer")


async def _close(connection: Any) -> None:
    with contextlib.suppress(Exception):  # it is gone already
        await connection.aclose()
