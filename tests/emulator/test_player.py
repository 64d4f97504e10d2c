"""Of a video what a player shows at half of the time that it plays, as a screen shows it."""

import io
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import pytest
from drawn import BLUE, GREEN, RED, Paint, solid, video
from PIL import Image

from vimmerse_async.emulator.describe import measure, sentence
from vimmerse_async.emulator.media.frames import middle_frame
from vimmerse_async.emulator.media.screen import Screen

PQ, HLG, BT2020, WIDE = 16, 18, 9, 12


def seen(data: bytes) -> str:
    return sentence(measure(*middle_frame(data)), mode="video")


def middle(data: bytes) -> Paint:
    image, *_ = middle_frame(data)
    return image.convert("RGB").getpixel((image.width // 2, image.height // 2))


def near(one: Iterable[int], other: Iterable[int], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def timed(shots: list[tuple[Paint, int]], container: str = "mp4", codec: str = "libx264") -> bytes:
    """Make a video of frames that begin when it is said, in milliseconds."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as film:
        stream = film.add_stream(codec, rate=1000)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for paint, begin in shots:
            frame = av.VideoFrame.from_image(solid(paint, 96, 64))
            frame.pts = begin
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return buffer.getvalue()


def copied(
    sources: list[bytes],
    *,
    container: str = "mp4",
    after: float = 0.0,
    prepare: Callable[[list[object]], None] = lambda _: None,
) -> bytes:
    """Put the films of some files into one, as they are coded, from a time on."""
    buffer = io.BytesIO()
    films = [av.open(io.BytesIO(source)) for source in sources]
    with av.open(buffer, "w", format=container) as target:
        copies = [target.add_stream_from_template(film.streams.video[0]) for film in films]
        prepare(copies)
        for film, copy in zip(films, copies, strict=True):
            shift = int(after / film.streams.video[0].time_base)
            for packet in film.demux(video=0):
                if packet.dts is not None:
                    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                    packet.stream = copy
                    target.mux(packet)
    for film in films:
        film.close()
    return buffer.getvalue()


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx")])
def test_time_counts_and_not_the_number_of_frames(container: str, codec: str) -> None:
    """A page that stands for nine seconds is the middle, however many frames scroll behind it."""
    shots = [(RED, 1000 * second) for second in range(9)]
    shots += [(BLUE, 9000 + 20 * number) for number in range(50)]
    assert "red" in seen(timed(shots, container, codec))


def test_what_a_trimmed_clip_hides_is_not_counted() -> None:
    """The lead-in that a phone leaves in the file, up to the key frame, is not shown."""
    whole = video([GREEN, RED, RED], frames=60)  # 6 s, one key frame at the beginning
    assert "green" in seen(video([GREEN, GREEN, RED], frames=60))
    trimmed = copied([whole], after=1.9)
    assert "red" in seen(trimmed)
    assert "red" in seen(copied([whole], container="mov", after=1.9))


def test_the_film_is_shown_and_no_thumbnail_or_still() -> None:
    """Neither a cover of one picture nor a small track that is not the default is the film."""
    still = video([GREEN], frames=1, codec="mjpeg", size=(160, 90), container="mov")
    assert "red" in seen(copied([still, video([RED])], container="mov"))
    small, film = video([RED]), video([GREEN], size=(320, 180))

    def second_is_default(streams: list[object]) -> None:
        streams[0].disposition = 0  # type: ignore[attr-defined]
        streams[1].disposition = 1  # type: ignore[attr-defined]

    picture = measure(*middle_frame(copied([small, film], prepare=second_is_default)))
    assert (picture.width, picture.height) == (320, 180)


@pytest.mark.parametrize("container", ["webm", "mp4"])
def test_of_a_cut_download_the_middle_of_what_is_there_is_shown(
    container: str, tmp_path: Path
) -> None:
    """A header that tells of more than came does not count."""
    codec = "libvpx" if container == "webm" else "mpeg4"
    data = video([RED, RED, RED, BLUE], codec=codec, container=container, frames=80)
    if container == "mp4":
        data = to_front(data, tmp_path / "front.mp4")
    assert "red" in seen(data[: len(data) * 6 // 10])


def to_front(data: bytes, path: Path) -> bytes:
    """Write an MP4 anew, its index before its pictures."""
    with (
        av.open(io.BytesIO(data)) as film,
        av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as target,
    ):
        copy = target.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    return path.read_bytes()


def test_a_key_frame_far_away_is_gone_back_to() -> None:
    """A film with one key frame in many seconds is decoded from there."""
    paints = [(8 * number % 250, 90, 90) for number in range(31)]
    assert middle(video(paints, frames=310)) == pytest.approx((120, 90, 90), abs=6)


def test_pixels_that_are_not_square_are_shown_in_their_shape() -> None:
    """An anamorphic film has the width that it is shown at."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 144, 108, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        film.mux(stream.encode(av.VideoFrame.from_image(solid(RED, 144, 108))))
        film.mux(stream.encode())
    _, *size = middle_frame(buffer.getvalue())
    assert size == [192, 108]
    assert "16:9" in seen(buffer.getvalue())


@pytest.mark.parametrize(
    ("matrix", "size", "corner"),
    [
        ((1, 0, 0, 1), (96, 64), (0, 0)),
        ((0, 1, -1, 0), (64, 96), (1, 0)),
        ((-1, 0, 0, -1), (96, 64), (1, 1)),
        ((0, -1, 1, 0), (64, 96), (0, 1)),
        ((-1, 0, 0, 1), (96, 64), (1, 0)),
        ((1, 0, 0, -1), (96, 64), (0, 1)),
        ((0, 1, 1, 0), (64, 96), (0, 0)),
    ],
)
def test_a_film_is_turned_and_mirrored_as_its_matrix_says(
    matrix: tuple[int, ...], size: tuple[int, int], corner: tuple[int, int]
) -> None:
    """The red top left corner is where each of the turns of a telephone puts it."""
    image = solid(BLUE, 96, 64)
    image.paste(RED, (0, 0, 48, 32))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        film.mux(stream.encode(av.VideoFrame.from_image(image)))
        film.mux(stream.encode())
    data = bytearray(buffer.getvalue())
    a, b, c, d = matrix
    at = data.index(b"tkhd") + 44
    left, top = (96 if a < 0 else 64 if c < 0 else 0), (64 if d < 0 else 96 if b < 0 else 0)
    numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, left << 16, top << 16, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *numbers)
    shown, *found = middle_frame(bytes(data))
    assert tuple(found) == size
    x, y = (edge * (side - 20) + 10 for edge, side in zip(corner, size, strict=True))
    assert near(shown.getpixel((x, y)), RED, 20)


class Stream:
    """A stream that says nothing of its pixels."""

    sample_aspect_ratio = None
    codec_context = None


def frame_of(
    form: str, values: tuple[int, ...], size: tuple[int, int], **says: int
) -> av.VideoFrame:
    """Make a frame of one colour, coded as it is given."""
    frame = av.VideoFrame(*size, form)
    width = 2 if "10" in form else 1
    for plane, value in zip(frame.planes, values, strict=True):
        plane.update(value.to_bytes(width, "little") * (plane.buffer_size // width))
    for name, value in says.items():
        setattr(frame, name, value)
    return frame


@pytest.mark.parametrize(
    ("frame", "colour"),
    [
        (("yuv420p", (173, 42, 26), (1280, 720), {"colorspace": 1}), (0, 255, 0)),
        (("yuv420p", (173, 42, 26), (1280, 720), {}), (0, 255, 0)),
        (("yuv420p", (145, 54, 34), (1280, 720), {"colorspace": 6}), (0, 255, 0)),
        (("yuv420p", (145, 54, 34), (64, 48), {}), (0, 255, 0)),
        (("yuvj420p", (128, 128, 128), (64, 48), {}), (128, 128, 128)),
        (("yuv420p10le", (397, 470, 549), (64, 48), {"color_trc": PQ}), (159, 86, 51)),
        (("yuv420p10le", (64 + 657, 512, 512), (64, 48), {"color_trc": HLG}), (244, 244, 244)),
    ],
)
def test_colours_are_those_of_a_screen(
    frame: tuple[str, tuple[int, ...], tuple[int, int], dict[str, int]], colour: Paint
) -> None:
    """HD without a word is BT.709, and high dynamic range comes out in sRGB."""
    form, values, size, says = frame
    if "color_trc" in says:
        says = {**says, "color_primaries": BT2020, "colorspace": BT2020}
    image, *_ = Screen(Stream()).show(frame_of(form, values, size, **says))
    assert near(image.getpixel((9, 9)), colour)


@pytest.mark.parametrize("curve", [PQ, HLG])
def test_greys_of_high_dynamic_range_stay_grey_and_in_order(curve: int) -> None:
    """From black to a thousand nits each grey is lighter than the one before, and has no tint."""
    before = -1
    for code in range(64, 941, 73):
        says = {"color_trc": curve, "color_primaries": BT2020, "colorspace": BT2020}
        frame = frame_of("yuv420p10le", (code, 512, 512), (64, 48), **says)
        shown = Screen(Stream()).show(frame)[0].getpixel((9, 9))
        assert max(shown) - min(shown) <= 2
        assert shown[1] > before or min(shown) == 255
        before = shown[1]
    assert before >= 250


def test_a_wide_gamut_is_not_shown_pale() -> None:
    """The red of Display-P3 is brighter than the same numbers in sRGB."""
    frame = frame_of("gbrp", (60, 60, 200), (64, 48), color_primaries=WIDE)
    image, *_ = Screen(Stream()).show(frame)
    red, green, blue = image.getpixel((9, 9))
    assert red > 210
    assert max(green, blue) < 60


@pytest.mark.parametrize(("codec", "alpha"), [("libvpx", 0), ("libvpx-vp9", 0), ("libvpx", 110)])
def test_what_shines_through_a_clip_is_told(codec: str, alpha: int) -> None:
    """A WebM with an alpha channel is transparent where it is."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as film:
        stream = film.add_stream(codec, rate=10, options={"auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for _ in range(5):
            frame = av.VideoFrame(96, 64, "rgba")
            frame.planes[0].update(Image.new("RGBA", (96, 64), (*BLUE, alpha)).tobytes())
            film.mux(stream.encode(frame.reformat(format="yuva420p")))
        film.mux(stream.encode())
    text = seen(buffer.getvalue())
    assert ("fully transparent" if alpha == 0 else "transparent all over") in text
