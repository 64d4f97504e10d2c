"""A video in a container that the API does not take goes into one that it takes, as it is coded."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from vimmerse_async.catalog.files import LocalFile
from vimmerse_async.catalog.questions import RowError
from vimmerse_async.kinds import FLV, MKV, MPEG_TS
from vimmerse_async.readers import open_regular

_DEMUXERS = {FLV: "flv", MKV: "matroska", MPEG_TS: "mpegts"}
_SOUNDS_OF_MP4 = frozenset(("aac", "ac3", "alac", "eac3", "mp3", "opus"))
_TARGETS = {
    "h264": ("mp4", _SOUNDS_OF_MP4),
    "hevc": ("mp4", _SOUNDS_OF_MP4),
    "vp8": ("webm", frozenset(("opus", "vorbis"))),
    "vp9": ("webm", frozenset(("opus", "vorbis"))),
    "av1": ("webm", frozenset(("opus", "vorbis"))),
}
"""By the video's coding: the container that it goes into, and the sounds that go with it."""


def remuxed(file: LocalFile, folder: Path) -> Path:
    """Return the same video in another container; nothing of it is coded anew.

    Args:
        file: An MKV, an MPEG transport stream or an FLV.
        folder: Where the new file is written.

    Raises:
        RowError: Its coding goes into no container that the API takes.
    """
    av: Any = import_module("av")
    with (
        open_regular(file.path) as stream,
        av.open(
            stream,
            format=_DEMUXERS[file.kind],
            container_options={"protocol_whitelist": "none"},
            io_open=_read_nothing_else,
        ) as source,
    ):
        video = source.streams.best("video")
        if video is None:
            raise RowError(f"is {file.kind.told} that holds no video")
        coding = video.codec_context.name if video.codec_context is not None else "unknown"
        form, sounds = _TARGETS.get(coding, (None, frozenset[str]()))
        if form is None:
            raise RowError(
                f"is {file.kind.told} of the coding {coding}, which cannot be put into an MP4 as "
                "it is: save it as an MP4"
            )
        sound = source.streams.best("audio")
        if sound is not None and (
            sound.codec_context is None or sound.codec_context.name not in sounds
        ):
            sound = None
        made = folder / f"{file.path.stem}.{form}"
        _copy(av, source, [each for each in (video, sound) if each is not None], made, form)
    return made


def _copy(av: Any, source: Any, streams: list[Any], made: Path, form: str) -> None:
    options = {"movflags": "faststart"} if form == "mp4" else {}
    with av.open(str(made), "w", format=form, options=options) as target:
        copies = {each.index: target.add_stream_from_template(each) for each in streams}
        for each in streams:
            if each.codec_context.name == "hevc":
                copies[each.index].codec_context.codec_tag = "hvc1"
        for packet in _dated(source.demux(streams)):
            packet.stream = copies[packet.stream.index]
            target.mux(packet)


def _dated(packets: Iterable[Any]) -> Iterator[Any]:
    """Yield packets that all have a time of decoding, which Matroska does not keep.

    What comes before the first that has one was decoded so much earlier.
    """
    waiting: dict[int, list[Any]] = {}
    last: dict[int, int] = {}
    for packet in packets:
        stream = packet.stream.index
        if not packet.size:
            continue
        if packet.dts is None and stream not in last:
            waiting.setdefault(stream, []).append(packet)
            continue
        if packet.dts is None:
            packet.dts = last[stream] + max(1, packet.duration or 0)
        yield from _earlier(waiting.pop(stream, []), packet.dts)
        last[stream] = packet.dts
        yield packet
    for undated in waiting.values():
        yield from _earlier(undated, max(each.pts or 0 for each in undated) + 1)


def _earlier(packets: list[Any], first: int) -> Iterator[Any]:
    lengths = [max(1, packet.duration or 0) for packet in packets]
    for place, packet in enumerate(packets):
        packet.dts = first - sum(lengths[place:])
        yield packet


def _read_nothing_else(*_: Any) -> Any:
    raise RowError("refers to another file")
