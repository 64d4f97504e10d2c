"""The bytes of a video become its middle frame; nothing but these bytes is ever read."""

import io
import time
from typing import TYPE_CHECKING, Any, NoReturn

from PIL import Image

from vimmerse_async.emulator.media.kinds import HEAD, kind_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_BYTES = 512 << 20
"""The largest video that is opened, in bytes."""
MAX_DURATION = 4 * 3600.0
"""The longest video that is opened, in seconds."""
MAX_PIXELS = 8192 * 4320
"""The largest frame that is decoded, in pixels."""
MAX_PACKETS = 1_000_000
"""The most frames that are counted to find the middle."""
MAX_FRAMES = 3_000
"""The most frames that are decoded from a keyframe to the middle."""
MAX_SECONDS = 20.0
"""The longest that finding and decoding the middle frame may take, in seconds."""

_LONGER_SIDE = 960
_READ_SIZE = 1 << 18
_DEMUXERS = {"MP4": "mov", "MOV": "mov", "AVI": "avi", "WebM": "matroska"}


class UnreadableVideoError(ValueError):
    """The bytes are not a video that can be looked at; the message says why."""


class VideoSupportMissingError(RuntimeError):
    """PyAV is not installed; the message names the extra."""


def middle_frame(data: bytes) -> bytes:
    """Return the middle frame of an MP4, MOV, AVI or WebM video, upright, as a JPEG.

    Raises:
        UnreadableVideoError: Not a decodable video of these kinds, or too large or long.
        VideoSupportMissingError: PyAV is not installed.
    """
    demuxer = _demuxer(data)
    if len(data) > MAX_BYTES:
        raise UnreadableVideoError(f"the video is too large: {len(data):,} bytes")
    try:
        import av  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise VideoSupportMissingError(
            'looking at videos needs an extra: pip install "vimmerse-async[video]"'
        ) from None
    try:
        with av.open(
            io.BytesIO(data),
            "r",
            format=demuxer,
            container_options={"protocol_whitelist": "none"},
            **_lenient(av.__version__),
            buffer_size=_READ_SIZE,
            io_open=_read_nothing_else,
        ) as container:
            return _encode(_middle(container, time.monotonic() + MAX_SECONDS))
    except UnreadableVideoError:
        raise
    except Exception as error:  # noqa: BLE001 - codecs name no family of errors for hostile bytes
        reason = getattr(error, "strerror", None) or error
        raise UnreadableVideoError(f"the video is damaged or incomplete: {reason}") from None


def _lenient(version: str) -> dict[str, Any]:
    """Return what lets texts that are no UTF-8 pass; av 19 reads none before it is asked."""
    return {"metadata_errors": "replace"} if int(version.partition(".")[0]) < 19 else {}


def _read_nothing_else(*_: Any) -> NoReturn:
    raise UnreadableVideoError("the video refers to another file")


def _demuxer(data: bytes) -> str:
    """The demuxer is named here and never guessed: playlists and scripts name other files."""
    kind = kind_of(data[:HEAD], "video")
    if kind is None:
        raise UnreadableVideoError("the video is not an MP4, MOV, AVI or WebM file")
    return _DEMUXERS[kind.name]


def _middle(container: "InputContainer", deadline: float) -> "VideoFrame":
    if not container.streams.video:
        raise UnreadableVideoError("the file holds no video, only sound or data")
    stream = container.streams.video[0]
    if not hasattr(stream, "width"):
        raise UnreadableVideoError("the video's coding is not known")
    _check_size(stream.width, stream.height)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    times = _times(container, stream, deadline)
    if float((times[-1] - times[0]) * (stream.time_base or 0)) > MAX_DURATION:
        raise UnreadableVideoError(f"the video is longer than {MAX_DURATION:,.0f} seconds")
    middle = times[len(times) // 2]
    container.seek(middle, stream=stream)
    return _frame_at(middle, container, stream, deadline)


def _times(container: "InputContainer", stream: "VideoStream", deadline: float) -> list[int]:
    """When each frame is shown, counted from the packets: headers may be wrong or absent."""
    times: list[int] = []
    for packet in container.demux(stream):
        if len(times) > MAX_PACKETS or time.monotonic() > deadline:
            raise UnreadableVideoError("the video is too long to find its middle")
        shown = packet.dts if packet.pts is None else packet.pts
        if shown is not None and packet.size:
            times.append(shown)
    if not times:
        raise UnreadableVideoError("the video holds no frames")
    return sorted(times)


def _frame_at(
    middle: int, container: "InputContainer", stream: "VideoStream", deadline: float
) -> "VideoFrame":
    last: VideoFrame | None = None
    for count, frame in enumerate(container.decode(stream)):
        last = frame
        shown = frame.dts if frame.pts is None else frame.pts
        if shown is not None and shown >= middle:
            break
        if count > MAX_FRAMES or time.monotonic() > deadline:
            raise UnreadableVideoError("the middle frame takes too long to decode")
    if last is None:
        raise UnreadableVideoError("the video holds no frame that can be decoded")
    return last


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise UnreadableVideoError(
            f"the video's frames cannot be looked at: {width} x {height} pixels "
            f"(at most {MAX_PIXELS:,} pixels)"
        )


def _encode(frame: "VideoFrame") -> bytes:
    _check_size(frame.width, frame.height)
    divisor = -(-max(frame.width, frame.height) // _LONGER_SIDE)
    plain = frame.reformat(
        width=max(1, frame.width // divisor), height=max(1, frame.height // divisor), format="rgb24"
    )
    plane = plain.planes[0]
    image = Image.frombytes(
        "RGB", (plain.width, plain.height), bytes(plane), "raw", "RGB", plane.line_size, 1
    )
    encoded = io.BytesIO()
    image.rotate(frame.rotation, expand=True).save(encoded, "JPEG", quality=95, subsampling=0)
    return encoded.getvalue()
