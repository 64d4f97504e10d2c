"""Of a video its middle frame is seen, whichever of the four kinds it is, and nothing else."""

import builtins
import contextlib
import io
import struct

import pytest
from drawn import BLUE, GREEN, GREY, RED, encoded, solid, video
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageStat

from vimmerse_async.emulator.describe import measure, sentence
from vimmerse_async.emulator.media import frames, timeline
from vimmerse_async.emulator.media.frames import (
    UnreadableVideoError,
    VideoSupportMissingError,
    middle_frame,
)

KINDS = [
    ("mp4", "libx264"),
    ("mp4", "mpeg4"),
    ("mov", "libx264"),
    ("avi", "mjpeg"),
    ("avi", "mpeg4"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
]
SMALL = {"mp4": video([RED]), "avi": video([RED], container="avi", codec="mpeg4")}
SMALL["webm"] = video([RED], container="webm", codec="libvpx")


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_the_middle_third_is_what_is_seen(container, codec):
    """Of three thirds of different colours the middle one is described."""
    data = video([RED, GREEN, BLUE], container=container, codec=codec)
    text = sentence(measure(*middle_frame(data)), mode="video")
    assert "video shot" in text
    assert "one even green" in text
    assert "3:2 landscape-format" in text


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_the_middle_frame_is_the_middle_one(container, codec):
    """Of 31 frames, each a little lighter than the one before, the sixteenth is seen."""
    paints = [(8 * number,) * 3 for number in range(31)]
    data = video(paints, container=container, codec=codec, frames=31)
    image, *_ = middle_frame(data)
    assert ImageStat.Stat(image.convert("L")).mean[0] == pytest.approx(8 * 15, abs=4)


def test_one_frame_is_its_own_middle():
    """A video of one frame is seen."""
    assert "red" in sentence(measure(*middle_frame(video([RED], frames=1))))


def test_large_frames_are_made_smaller_in_proportion():
    """A frame of 1920 x 1080 is handed on at half its sides, and its full size is kept."""
    image, *size = middle_frame(video([GREEN], size=(1920, 1080), frames=2))
    assert (image.size, size) == ((960, 540), [1920, 1080])


def test_a_turned_video_is_seen_upright():
    """The display matrix of a phone's portrait video turns the frame."""
    import av

    buffer = io.BytesIO()
    image = solid(RED, 96, 64)
    image.paste(BLUE, (48, 0, 96, 64))
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        film.mux(stream.encode(av.VideoFrame.from_image(image)))
        film.mux(stream.encode())
    data = bytearray(buffer.getvalue())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 64 << 16, 0, 1 << 30
    )
    text = sentence(measure(*middle_frame(bytes(data))))
    assert "red over the top half" in text
    assert "2:3 " in text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        encoded(solid(GREY)),
        encoded(solid(GREY, 8, 8), "GIF"),
        b"\x1aE\xdf\xa3" + bytes(60),
    ],
)
def test_G6_what_is_no_video_of_the_four_kinds_is_refused(data):
    """Playlists, scripts, pictures and other containers are refused by their first bytes."""
    with pytest.raises(UnreadableVideoError, match="not an MP4, MOV, AVI or WebM"):
        middle_frame(data)


def test_a_film_of_sound_alone_is_refused():
    """A container without pictures is told from a broken one."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as film:
        stream = film.add_stream("aac", rate=8_000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1_024)
        frame.sample_rate = 8_000
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        film.mux(stream.encode(frame))
        film.mux(stream.encode())
    with pytest.raises(UnreadableVideoError, match="no video, only sound"):
        middle_frame(buffer.getvalue())


@pytest.mark.parametrize(
    ("room", "cap", "value", "words"),
    [
        (timeline, "MAX_DURATION", 1.0, "longer than"),
        (frames, "MAX_PIXELS", 1_000, "cannot be looked at: 96 x 64"),
        (timeline, "MAX_PACKETS", 5, "too long to find its middle"),
        (frames, "MAX_SECONDS", -1.0, "too long"),
    ],
)
def test_G6_each_cap_refuses_with_its_own_words(monkeypatch, room, cap, value, words):
    """What is above a cap is refused, and the message says which cap it was."""
    monkeypatch.setattr(room, cap, value)
    with pytest.raises(UnreadableVideoError, match=words):
        middle_frame(video([RED, GREEN, BLUE]))


def test_without_pyav_the_extra_is_named(monkeypatch):
    """A machine without PyAV is told what to install; other refusals need no PyAV."""
    real = builtins.__import__

    def without_av(name, *rest):
        if name == "av":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(VideoSupportMissingError, match=r"vimmerse-async\[video\]"):
        middle_frame(SMALL["mp4"])
    with pytest.raises(UnreadableVideoError):
        middle_frame(b"no video")


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("share", [0.1, 0.4])
def test_cut_off_videos_are_refused(kind, share):
    """The beginning of a video without its end gives the one error or a frame, never another."""
    data = SMALL[kind]
    with contextlib.suppress(UnreadableVideoError):
        assert measure(*middle_frame(data[: int(len(data) * share)]))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(SMALL)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=20),
)
def test_G6_damaged_videos_are_seen_or_refused_by_one_error(kind, damage):
    """Whatever bytes are flipped: a picture or UnreadableVideoError with a message."""
    data = bytearray(SMALL[kind])
    for where, value in damage:
        data[int(where * len(data))] = value
    with contextlib.suppress(UnreadableVideoError):
        assert measure(*middle_frame(bytes(data)))


@settings(deadline=None)
@given(
    st.sampled_from(
        [b"\0\0\0\x18ftypisom", b"RIFF\0\0\0\0AVI ", b"\x1aE\xdf\xa3\x87B\x82\x84webm"]
    ),
    st.binary(max_size=400),
)
def test_G6_random_bytes_are_refused_by_one_error(start, body):
    """A right beginning followed by anything is refused, with a message."""
    with pytest.raises(UnreadableVideoError) as caught:
        middle_frame(start + body)
    assert str(caught.value)
