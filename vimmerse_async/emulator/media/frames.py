"""The bytes of a video become its middle frame; nothing but these bytes is ever read."""

import contextlib
import io
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from PIL import Image

from vimmerse_async.emulator.media.kinds import HEAD, kind_of
from vimmerse_async.emulator.media.screen import Screen
from vimmerse_async.emulator.media.timeline import middle_of
from vimmerse_async.emulator.media.unreadable import (
    Deadline,
    UnreadableVideoError,
    VideoSupportMissingError,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["UnreadableVideoError", "VideoSupportMissingError", "middle_frame"]

MAX_PIXELS = 8192 * 4320
"""The largest frame that is decoded, in pixels."""
MAX_SECONDS = 60.0
"""The longest that finding and decoding the middle frame may take, in seconds."""

_READ_SIZE = 1 << 18
_DEMUXERS = {"MP4": "mov", "MOV": "mov", "AVI": "avi", "WebM": "matroska"}
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders of what shines through, which others leave out."""


def middle_frame(source: bytes | BinaryIO) -> tuple[Image.Image, int, int]:
    """Return what a player shows at half of an MP4, MOV, AVI or WebM video, and how large.

    The picture is reduced, upright, RGB or RGBA; the width and height are those of the whole.

    Args:
        source: All its bytes, or a file that holds them.

    Raises:
        UnreadableVideoError: Not a decodable video of these kinds, or too large or long.
        VideoSupportMissingError: PyAV is not installed.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    demuxer = _demuxer(file.read(HEAD))
    file.seek(0)
    try:
        import av  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise VideoSupportMissingError(
            'looking at videos needs an extra: pip install "vimmerse-async[video]"'
        ) from None
    try:
        with av.open(
            file,
            "r",
            format=demuxer,
            container_options={"protocol_whitelist": "none"},
            **_lenient(av.__version__),
            buffer_size=_READ_SIZE,
            io_open=_read_nothing_else,
        ) as container:
            return _middle(container, Deadline(MAX_SECONDS))
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


def _demuxer(head: bytes) -> str:
    """The demuxer is named here and never guessed: playlists and scripts name other files."""
    kind = kind_of(head, "video")
    if kind is None:
        raise UnreadableVideoError("the video is not an MP4, MOV, AVI or WebM file")
    return _DEMUXERS[kind.name]


def _middle(container: "InputContainer", deadline: Deadline) -> tuple[Image.Image, int, int]:
    for stream in container.streams.video:
        if hasattr(stream, "width"):  # else its coding is not known
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            stream.thread_type = "AUTO"
    stream, middle = middle_of(container, deadline)
    _check_size(stream.width, stream.height)
    frame = _frame_at(middle, container, stream, deadline)
    _check_size(frame.width, frame.height)
    return Screen(stream).show(frame)


def _frame_at(
    middle: int, container: "InputContainer", stream: "VideoStream", deadline: Deadline
) -> "VideoFrame":
    """Return the frame that is shown at a time; where a seek does not help, all before are read."""
    container.seek(middle, stream=stream)
    with contextlib.suppress(OSError, ValueError):  # what shines through has key frames of its own
        frame = _decoded(middle, container, stream, deadline)
        if frame is not None:
            return frame
    deadline.check("the middle frame takes too long to decode")
    container.seek(0)
    frame = _decoded(middle, container, stream, deadline)
    if frame is not None:
        return frame
    raise UnreadableVideoError("the video holds no frame that can be decoded")


def _decoded(
    middle: int, container: "InputContainer", stream: "VideoStream", deadline: Deadline
) -> "VideoFrame | None":
    """Return the last frame that begins by a time; None where decoding began behind it."""
    best: VideoFrame | None = None
    decoder = _decoder(stream)
    for packet in container.demux(stream):
        deadline.check("the middle frame takes too long to decode")
        for frame in decoder.decode(packet):
            shown = frame.dts if frame.pts is None else frame.pts
            if shown is not None and shown > middle:
                return best
            best = frame
    return best


def _decoder(stream: "VideoStream") -> Any:
    name = _WITH_ALPHA.get(stream.codec_context.name)
    said = {key.lower(): value for key, value in stream.metadata.items()}
    if name is None or said.get("alpha_mode") != "1":
        return stream.codec_context
    from av.codec import CodecContext  # noqa: PLC0415 - heavy, and an extra

    try:
        decoder: Any = CodecContext.create(name, "r")
    except ValueError:  # built without it: what shines through is shown as solid
        return stream.codec_context
    if stream.codec_context.extradata is not None:
        decoder.extradata = stream.codec_context.extradata
    return decoder


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise UnreadableVideoError(
            f"the video's frames cannot be looked at: {width} x {height} pixels "
            f"(at most {MAX_PIXELS:,} pixels)"
        )
