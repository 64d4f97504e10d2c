"""What a video that cannot be looked at raises, and how long looking may take."""

import time


class UnreadableVideoError(ValueError):
    """The bytes are not a video that can be looked at; the message says why."""


class VideoSupportMissingError(RuntimeError):
    """PyAV is not installed; the message names the extra."""


class Deadline:
    """The end of all work on one video.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self, told: str) -> None:
        """Raise `UnreadableVideoError` when the time is over.

        Args:
            told: What is said then.
        """
        if time.monotonic() > self._end:
            raise UnreadableVideoError(told)
