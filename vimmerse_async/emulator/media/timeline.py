"""Which track of a film is its picture, and when its middle is shown: told from its packets.

Headers may be wrong, absent, or of a file that was longer once; what is hidden is not counted.
"""

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import attrs

from vimmerse_async.emulator.media.unreadable import Deadline, UnreadableVideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PACKETS = 1_000_000
"""The most frames that are counted to find the middle."""
MAX_DURATION = 4 * 3600.0
"""The longest video that is looked at, in seconds."""
_MICROSECONDS = 1_000_000
_SMALL = 1 / 8
"""A track with less than this share of the largest one's pixels is its thumbnail."""


@attrs.define
class Track:
    """What a player shows, or plays, of one stream.

    Attributes:
        stream: The stream.
        begins: When each frame is shown, in units of the stream's time base.
        end: When the last one ends.
    """

    stream: Any
    begins: list[int] = attrs.field(factory=list[int])
    end: int = 0

    def add(self, packet: Any) -> None:
        """Count a packet, unless it is hidden or broken."""
        shown = packet.dts if packet.pts is None else packet.pts
        if shown is None or not packet.size or packet.is_discard or packet.is_corrupt:
            return
        self.begins.append(shown)
        self.end = max(self.end, shown + (packet.duration or 0))

    def finish(self) -> None:
        """Put frames in the order in which they are shown, and give the last one a length."""
        self.begins.sort()
        if len(self.begins) > 1 and self.end <= self.begins[-1]:
            self.end = 2 * self.begins[-1] - self.begins[-2]

    @property
    def end_in_seconds(self) -> float:
        """When it ends."""
        return self.end * float(self.stream.time_base or 0)

    @property
    def last_in_seconds(self) -> float:
        """How long the last frame is shown."""
        return (self.end - self.begins[-1]) * float(self.stream.time_base)

    @property
    def pixels(self) -> int:
        """Of one frame."""
        return int(self.stream.width * self.stream.height)


def middle_of(container: "InputContainer", deadline: Deadline) -> tuple["VideoStream", int]:
    """Return the stream that a player shows, and when the frame at half of the time begins.

    Raises:
        UnreadableVideoError: There is none, or it is too long.
    """
    if not container.streams.video:
        raise UnreadableVideoError("the file holds no video, only sound or data")
    tracks = _tracks(container, deadline)
    film = _film([track for track in tracks if track.stream.type == "video"])
    sounds = [track for track in tracks if track.stream.type == "audio" and track.begins]
    end = max(track.end_in_seconds for track in (film, *sounds[:1]))
    said = (container.duration or 0) / _MICROSECONDS
    if abs(said - end) <= film.last_in_seconds:  # WebM rounds each frame, but not the whole
        end = said
    if end > MAX_DURATION:
        raise UnreadableVideoError(f"the video is longer than {MAX_DURATION:,.0f} seconds")
    base = float(film.stream.time_base)
    half = int(end / 2 / base + 1e-6)  # a player's clock begins at 0, whatever comes first
    return film.stream, film.begins[max(0, bisect_right(film.begins, half) - 1)]


def _tracks(container: "InputContainer", deadline: Deadline) -> list[Track]:
    tracks = {
        stream.index: Track(stream)
        for stream in container.streams
        if stream.type in {"audio", "video"} and stream.time_base
    }
    count = 0
    try:
        for packet in container.demux([track.stream for track in tracks.values()]):
            count += packet.stream.type == "video"
            deadline.check("the video is too long to find its middle")
            if count > MAX_PACKETS:
                raise UnreadableVideoError("the video is too long to find its middle")
            tracks[packet.stream.index].add(packet)
    except OSError:  # a download that was cut off ends here
        if not any(track.begins for track in tracks.values()):
            raise
    for track in tracks.values():
        track.finish()
    return list(tracks.values())


def _film(tracks: list[Track]) -> Track:
    """Return the track that is shown: no cover, no thumbnail, and the default one of several."""
    known = [track for track in tracks if hasattr(track.stream, "width")]
    if not known:
        raise UnreadableVideoError("the video's coding is not known")
    shown = [track for track in known if track.begins and track.pixels]
    if not shown:
        raise UnreadableVideoError("the video holds no frames")
    largest = max(track.pixels for track in shown)
    return max(
        shown,
        key=lambda track: (
            not _is_still(track.stream),
            len(track.begins) > 1,
            "default" in _dispositions(track.stream),
            track.pixels >= _SMALL * largest,
            -track.stream.index,
        ),
    )


def _is_still(stream: Any) -> bool:
    return bool({"attached_pic", "still_image", "timed_thumbnails"} & _dispositions(stream))


def _dispositions(stream: Any) -> set[str]:
    flags: Any = type(stream.disposition)
    return {flag.name for flag in flags if flag in stream.disposition}
