"""Who leads: a thread with a loop of its own, so that no application can block it."""

import asyncio
import threading

from vimmerse_async.hooks import logger
from vimmerse_async.sharing.meeting import Claim
from vimmerse_async.sharing.office import Office
from vimmerse_async.sharing.records import Standing

ENDING = 5.0
"""Seconds in which a thread ends whatever happens."""


class Leader:
    """Leads from its making until it is stopped, or another leads.

    Args:
        claim: The right to lead; closed in the end.
        before: What the leader before it told last; None: there was none.

    Raises:
        OSError: There is no descriptor left for it.
        RuntimeError: There is no thread left for it.
    """

    def __init__(self, claim: Claim, before: Standing | None) -> None:
        self._loop = asyncio.SelectorEventLoop()
        self._office = Office(claim, before, self._loop.stop)
        self._thread = threading.Thread(target=self._run, name="vimmerse-leader", daemon=True)
        try:
            self._thread.start()
        except (OSError, RuntimeError):
            self._loop.close()
            raise

    def stop(self) -> None:
        """Let another lead, and wait until nothing of this one is left."""
        try:
            self._loop.call_soon_threadsafe(self._loop.stop)
        except RuntimeError:  # it has ended by itself
            return
        self._thread.join(ENDING)

    def _run(self) -> None:
        try:
            self._loop.call_soon(self._begin)
            self._loop.run_forever()
        finally:
            self._office.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.wait(tasks))
            self._loop.close()

    def _begin(self) -> None:
        try:
            self._office.open()
        except Exception:  # noqa: BLE001 - whatever it is, another may lead
            self._loop.stop()
            logger.exception("a shared limit could not be led")
