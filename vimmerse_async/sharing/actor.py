"""The meeting place of one Ray run: a named actor that leads, and is found by its name.

Records go through Ray's own calls, so that no port and no secret is needed: `say` takes a member's,
`hear` waits for what it is told. Ray starts the actor again where it died; what was under way comes
back with the members, and what was learned, too. It ends by itself when nobody was there for long.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import Any

from vimmerse_async.hooks import logger
from vimmerse_async.sharing.folder import CannotShareError
from vimmerse_async.sharing.meeting import Claim, OnLost, OnMember, OnRecords
from vimmerse_async.sharing.office import Office
from vimmerse_async.sharing.outbox import Outbox
from vimmerse_async.sharing.records import ProtocolError, Reader

NAMESPACE = "vimmerse"
"""A run's own is anonymous mostly, and Ray warns of actors that outlive one of these."""
BEAT = 0.25
"""Seconds between two tellings: each is a call of Ray's."""
HEARING = 2.0
"""Seconds that a member's question is left open; then it asks again."""
UNUSED = 30.0
"""Seconds without a member after which the actor ends."""
STARTING = 60.0
"""Seconds in which Ray starts an actor."""


class RayMeeting:
    """The members of one run; travels to Ray's workers.

    Args:
        name: The actor's.
    """

    scope: str = "ray"
    patience: float = 5.0
    starting: float = STARTING

    def __init__(self, name: str) -> None:
        self._name = name

    async def claim(self) -> Claim | None:
        """Return None: the actor leads."""
        return None

    async def connect(self, on_records: OnRecords, on_lost: OnLost) -> "RayChannel":
        """Return a channel to the actor, which is started when it is not there."""
        try:
            import ray  # pyright: ignore[reportMissingImports]  # noqa: PLC0415 - an extra
        except ImportError:
            raise CannotShareError("Ray is not installed here") from None
        if not ray.is_initialized():  # it would start a cluster of its own
            raise CannotShareError("Ray does not run here")
        # A pool's actors are gone before the run is over: the limit belongs to none of them.
        options = {
            "name": self._name, "namespace": NAMESPACE, "get_if_exists": True,
            "lifetime": "detached", "num_cpus": 0, "max_restarts": -1, "max_concurrency": 10_000,
        }  # fmt: skip
        try:
            async with asyncio.timeout(STARTING):
                actor = await asyncio.to_thread(
                    lambda: ray.remote(RayOffice).options(**options).remote()
                )
                await actor.ready.remote()
        except (ray.exceptions.RayError, ValueError) as error:
            raise OSError(str(error)) from None
        except TimeoutError:
            raise CannotShareError("Ray did not start its actor", lasting=False) from None
        return RayChannel(actor, on_records, on_lost)

    def holder(self) -> object:
        """Return always the same: nobody but Ray decides who leads."""
        return None

    async def overthrow(self, holder: object) -> Claim | None:  # noqa: ARG002 - as all
        """Return None: Ray starts the actor again."""
        return None


class RayChannel:
    """A member's end."""

    def __init__(self, actor: Any, on_records: OnRecords, on_lost: OnLost) -> None:
        self._actor = actor
        self._on_records = on_records
        self._on_lost = on_lost
        self._name = uuid.uuid4().hex
        self._outbox = Outbox(self._say)
        self._task: asyncio.Task[None] | None = None

    def send(self, data: bytes) -> None:
        """Say something at the end of this tick of the loop."""
        self._outbox.send(data)

    def flush(self) -> None:
        """Say now what is to be said."""
        self._outbox.flush()

    def close(self) -> None:
        """Leave."""
        if self._actor is None:
            return
        with contextlib.suppress(Exception):  # Ray may have been shut down
            self._actor.leave.remote(self._name)
        self._actor = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _say(self, data: bytes) -> None:
        if self._actor is None:
            return
        self._actor.say.remote(self._name, data)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._hear())

    async def _hear(self) -> None:
        reader = Reader()
        try:
            while self._actor is not None:
                data = await self._actor.hear.remote(self._name)
                if data is None:
                    break
                if self._actor is not None and data:
                    self._on_records(reader.feed(data))
        except Exception as error:  # noqa: BLE001 - whatever Ray raises, nobody answers any more
            logger.debug("the actor of a shared limit is away: %s", error)
        if self._actor is not None:
            self._task = None  # it ends by itself
            self.close()
            self._on_lost()


class RayOffice:
    """The actor."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, Mailbox] = {}
        self._office = Office(_Given(self._begin), None, lambda: None, BEAT)
        self._on_member: OnMember | None = None
        self._ending: asyncio.TimerHandle | None = None

    async def ready(self) -> None:
        """Open for members; the first call does it, in the actor's loop."""
        if self._on_member is None:
            self._office.open()
        self._end_later()

    async def say(self, name: str, data: bytes) -> None:
        """Take what a member says."""
        if self._on_member is None:
            await self.ready()  # Ray has started this actor again
        mailbox = self._mailboxes.get(name)
        if mailbox is None:
            mailbox = self._mailboxes[name] = Mailbox()
            self._admit(mailbox)
        mailbox.take(data)

    async def hear(self, name: str) -> bytes | None:
        """Return what a member is told, when there is something; None: it is no member."""
        mailbox = self._mailboxes.get(name)
        if mailbox is None:
            return None
        told = await mailbox.told()
        if told is None:
            del self._mailboxes[name]
        return told

    async def leave(self, name: str) -> None:
        """Forget a member."""
        mailbox = self._mailboxes.pop(name, None)
        if mailbox is not None:
            mailbox.lose()
        self._end_later()

    def _begin(self, on_member: OnMember) -> None:
        self._on_member = on_member

    def _admit(self, mailbox: "Mailbox") -> None:
        def make(on_records: OnRecords, on_lost: OnLost) -> Mailbox:
            mailbox.tell(on_records, on_lost)
            return mailbox

        assert self._on_member is not None  # noqa: S101 - say has seen to it
        self._on_member(make)

    def _end_later(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(UNUSED, self._end_if_unused)

    def _end_if_unused(self) -> None:
        if not self._office.is_empty:
            self._end_later()
            return
        import ray  # pyright: ignore[reportMissingImports]  # noqa: PLC0415 - an extra

        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)


class Mailbox:
    """The actor's end of one member's channel."""

    def __init__(self) -> None:
        self._reader = Reader()
        self._out = bytearray()
        self._changed = asyncio.Event()
        self._is_closed = False

    def tell(self, on_records: OnRecords, on_lost: OnLost) -> None:
        """Say who is told what arrives."""
        self._on_records, self._on_lost = on_records, on_lost

    def take(self, data: bytes) -> None:
        """Let something arrive."""
        if self._is_closed:
            return
        try:
            self._on_records(self._reader.feed(data))
        except ProtocolError:
            self.lose()

    async def told(self) -> bytes | None:
        """Return what is to be said; empty when there was nothing for long, None: it is closed."""
        if not self._out and not self._is_closed:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARING):
                    await self._changed.wait()
        if self._is_closed:
            return None
        out = bytes(self._out)
        self._out.clear()
        return out

    def send(self, data: bytes) -> None:
        """Say something soon."""
        self._out += data

    def flush(self) -> None:
        """Say now what is to be said."""
        self._changed.set()

    def close(self) -> None:
        """Close it."""
        self._is_closed = True
        self._changed.set()

    def lose(self) -> None:
        """Take note that the member is gone."""
        if not self._is_closed:
            self.close()
            self._on_lost()


class _Given:
    """The right to lead, which Ray gave."""

    def __init__(self, begin: Callable[[OnMember], None]) -> None:
        self._begin = begin

    def open(self, on_member: OnMember) -> None:
        self._begin(on_member)

    def is_held(self) -> bool:
        return True

    def close(self) -> None:
        pass
