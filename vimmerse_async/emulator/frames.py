"""The bytes of a video become its middle frame; nothing but these bytes is ever read."""

import io
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_BYTES = 512 * 1024 * 1024
"""The largest video that is opened, in bytes."""
MAX_DURATION = 4 * 3600.0
"""The longest video that is opened, in seconds."""
MAX_PIXELS = 8192 * 4320
"""The largest frame that is decoded, in pixels."""
MAX_PACKETS = 2_000_000
"""The most packets that are read to find the middle."""
MAX_FRAMES = 3_000
"""The most frames that are decoded from a keyframe to the middle."""
MAX_SECONDS = 20.0
"""The longest that finding and decoding the middle frame may take, in seconds."""


class UnreadableVideoError(ValueError):
    """The bytes are not a video that can be looked at; the message says why."""


class VideoSupportMissingError(RuntimeError):
    """PyAV is not installed."""


def middle_frame(data: bytes) -> bytes:
    """Return the middle frame of an MP4, MOV, AVI or WebM video as an upright JPEG.

    Raises:
        UnreadableVideoError: Not a decodable video of these kinds, or too large or long.
        VideoSupportMissingError: PyAV is not installed; the message names the extra.
    """
    demuxer = _demuxer(data)
    if len(data) > MAX_BYTES:
        raise UnreadableVideoError(f"the video is too large: {len(data):,} bytes")
    try:
        import av  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise VideoSupportMissingError(
            "looking at videos needs PyAV: pip install 'vimmerse-async[video]'"
        ) from None
    try:
        with av.open(
            io.BytesIO(data),
            format=demuxer,
            container_options={"protocol_whitelist": "none"},
            metadata_errors="ignore",
        ) as container:
            return _encode(_middle(container, time.monotonic() + MAX_SECONDS))
    except UnreadableVideoError:
        raise
    except Exception as error:  # noqa: BLE001 - codecs name no family of errors for hostile bytes
        raise UnreadableVideoError(f"the video is damaged or incomplete: {error}") from None


def _demuxer(data: bytes) -> str:
    if data[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        return "mov"
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "avi"
    if data.startswith(b"\x1aE\xdf\xa3") and b"webm" in data[:64]:
        return "matroska"
    raise UnreadableVideoError("the video is not an MP4, MOV, AVI or WebM file")


def _middle(container: "InputContainer", deadline: float) -> "VideoFrame":
    if not container.streams.video:
        raise UnreadableVideoError("the file holds no video, only sound or data")
    stream = container.streams.video[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise UnreadableVideoError(f"its frames are too large: {stream.width} x {stream.height}")
    times = sorted(_packet_times(container, stream, deadline))
    if not times:
        raise UnreadableVideoError("the video holds no frames")
    if float((times[-1] - times[0]) * (stream.time_base or 0)) > MAX_DURATION:
        raise UnreadableVideoError(f"the video is longer than {MAX_DURATION:.0f} seconds")
    middle = times[len(times) // 2]
    container.seek(middle, stream=stream)
    return _frame_at(container, stream, middle, deadline)


def _packet_times(
    container: "InputContainer", stream: "VideoStream", deadline: float
) -> Iterator[int]:
    for count, packet in enumerate(container.demux(stream)):
        if count > MAX_PACKETS or time.monotonic() > deadline:
            raise UnreadableVideoError("the video is too long to find its middle")
        if packet.pts is not None and packet.size:
            yield packet.pts


def _frame_at(
    container: "InputContainer", stream: "VideoStream", middle: int, deadline: float
) -> "VideoFrame":
    last: Any = None
    for count, frame in enumerate(container.decode(stream)):
        last = frame
        if frame.pts is None or frame.pts >= middle:
            break
        if count > MAX_FRAMES or time.monotonic() > deadline:
            raise UnreadableVideoError("its middle frame takes too long to decode")
    if last is None:
        raise UnreadableVideoError("the video holds no frame that can be decoded")
    return last


def _encode(frame: "VideoFrame") -> bytes:
    divisor = -(-max(frame.width, frame.height) // 960)
    image = frame.to_image(
        width=max(1, frame.width // divisor), height=max(1, frame.height // divisor)
    )
    output = io.BytesIO()
    image.rotate(frame.rotation, expand=True).save(output, "JPEG", quality=95, subsampling=0)
    return output.getvalue()
