"""Looks at each picture once: in a thread, remembered by its contents, shared while it lasts."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vimmerse_async.emulator.api.reply import refused

if TYPE_CHECKING:
    from vimmerse_async.emulator.describe import Picture

_Value = TypeVar("_Value")
_REMEMBERED = 4_096


class _Shared(Generic[_Value]):
    """Values by key, each worked out once, also for those who ask meanwhile; no failures."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[Hashable, asyncio.Task[_Value]] = OrderedDict()

    async def get(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, _Value]]) -> _Value:
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(work())
            self._tasks[key] = task
            if len(self._tasks) > _REMEMBERED:
                self._tasks.popitem(last=False)
        else:
            self._tasks.move_to_end(key)
            if task.done():
                return task.result()
        try:
            return await asyncio.shield(task)
        except Exception:
            self._tasks.pop(key, None)
            raise

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Eyes:
    """Turns files into what can be said of them.

    Args:
        workers: Threads that look at the same time.
    """

    def __init__(self, *, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="vimmerse-emulator-eyes")
        self._by_file: _Shared[Picture] = _Shared()
        self._by_contents: _Shared[Picture] = _Shared()

    async def see(self, path: Path, *, video: bool = False) -> "Picture":
        """Return what is measured of a picture, or of a video's middle frame.

        Raises:
            RefusedError: 400: not readable, too large, or a part of the emulator is missing.
        """
        state = _state(path)
        key = (path, state.st_ino, state.st_mtime_ns, state.st_size, video)
        return await self._by_file.get(key, lambda: self._see(path, video=video))

    async def close(self) -> None:
        """End all looking."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        await self._by_file.close()
        await self._by_contents.close()

    async def _see(self, path: Path, *, video: bool) -> "Picture":
        loop = asyncio.get_running_loop()
        digest = await loop.run_in_executor(self._pool, _digest, path)

        async def look() -> "Picture":
            return await loop.run_in_executor(self._pool, _look, path, video)

        return await self._by_contents.get((digest, video), look)


def _state(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except OSError:
        raise refused(400, "the file is gone") from None


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, partial(blake2b, digest_size=16)).digest()


def _look(path: Path, video: bool) -> "Picture":
    try:
        from vimmerse_async.emulator import describe  # noqa: PLC0415 - Pillow is an extra
        from vimmerse_async.emulator.media import frames  # noqa: PLC0415 - Pillow is an extra
    except ImportError as error:
        extra = 'pip install "vimmerse-async[emulator]"'
        raise refused(400, f"looking at pictures needs an extra: {extra} ({error})") from None
    try:
        with path.open("rb") as file:
            return describe.measure(*frames.middle_frame(file)) if video else describe.look(file)
    except (describe.UnreadablePictureError, frames.UnreadableVideoError) as error:
        raise refused(400, str(error)) from None
    except frames.VideoSupportMissingError as error:
        raise refused(400, str(error)) from None
