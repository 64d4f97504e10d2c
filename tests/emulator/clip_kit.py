"""Clips as other programs make them, each frame of which shows its number."""

import shutil
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw

FFMPEG = shutil.which("ffmpeg")
WIDTH, HEIGHT, FRAMES, RATE = 640, 360, 96, 24
_CELL, _LEFT, _TOP, _BOTTOM, _BITS = 64, 40, 296, 344, 7
_H264 = "-c:v libx264 -preset veryfast -pix_fmt yuv420p"
_VP8 = "-c:v libvpx -b:v 1M -cpu-used 8"
_VP9 = "-c:v libvpx-vp9 -b:v 2M -cpu-used 8 -row-mt 1"
_AV1 = "-c:v libsvtav1 -preset 12"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error -tag:v hvc1"
_SRGB = "zscale=min=gbr:tin=iec61966-2-1:pin=709:rin=full"
_HIGH = (
    f"{_SRGB}:p=2020:t=linear:npl=203,format=gbrpf32le,"
    "zscale=t={}:m=2020_ncl:r=limited:npl=203,format=yuv420p10le"
)
_SAID = "-color_primaries bt2020 -color_trc {} -colorspace bt2020nc -color_range tv"
_PQ = f"-i IN -vf {_HIGH.format('smpte2084')} {_SAID.format('smpte2084')}"
_HLG = f"-i IN -vf {_HIGH.format('arib-std-b67')} {_SAID.format('arib-std-b67')}"
_SOUND = "-f lavfi -i sine=d={} -c:a {}"
_LONG = f"-i IN {_H264} -g 96 whole.mp4"
_STILL = "-f lavfi -i color=lime:s=160x90:r=1:d=1"

CLIPS: dict[str, str] = {
    "plain.mp4": f"-i IN {_H264} OUT",
    "many_b_frames.mp4": f"-i IN {_H264} -bf 4 -g 250 OUT",
    "no_edit_list.mp4": f"-i IN {_H264} -bf 3 -use_editlist 0 OUT",
    "negative_offsets.mp4": f"-i IN {_H264} -bf 3 -movflags negative_cts_offsets OUT",
    "fragments.mp4": f"-i IN {_H264} -g 24 -movflags frag_keyframe+empty_moov OUT",
    "index_first.mov": f"-i IN {_H264} -movflags faststart OUT",
    "variable_rate.mp4": (f"-i IN -vf select=lt(n\\,20)+not(mod(n\\,5)) -fps_mode vfr {_H264} OUT"),
    "variable_rate.webm": (f"-i IN -vf select=gt(n\\,70)+not(mod(n\\,7)) -fps_mode vfr {_VP8} OUT"),
    "vp8.webm": f"-i IN {_VP8} OUT",
    "vp9.webm": f"-i IN {_VP9} -pix_fmt yuv420p OUT",
    "vp9.mp4": f"-i IN {_VP9} -pix_fmt yuv420p OUT",
    "av1.mp4": f"-i IN {_AV1} -pix_fmt yuv420p -colorspace smpte170m OUT",
    "av1.webm": f"-i IN {_AV1} -pix_fmt yuv420p -colorspace smpte170m OUT",
    "hevc.mp4": f"-i IN {_HEVC} -pix_fmt yuv420p OUT",
    "hevc.mov": f"-i IN {_HEVC} -pix_fmt yuv420p OUT",
    "mpeg4.avi": "-i IN -c:v mpeg4 -q:v 3 OUT",
    "xvid.avi": "-i IN -c:v libxvid -q:v 3 -bf 2 OUT",
    "h264.avi": f"-i IN {_H264} -bf 0 OUT",
    "mjpeg.avi": "-i IN -c:v mjpeg -q:v 3 -pix_fmt yuvj420p OUT",
    "mpeg4.mp4": "-i IN -c:v mpeg4 -q:v 3 OUT",
    "prores.mov": "-i IN -c:v prores_ks -profile:v 1 OUT",
    "trimmed.mp4": f"{_LONG} ; -ss 1.3 -i whole.mp4 -t 2 -c copy OUT",
    "trimmed.mov": f"{_LONG} ; -ss 1.3 -i whole.mp4 -t 2 -c copy OUT",
    "trimmed_with_sound.mp4": (
        f"-i IN {_SOUND.format(4, 'aac')} {_H264} -g 96 sounding.mp4 ; "
        "-ss 1.3 -i sounding.mp4 -t 2 -c copy OUT"
    ),
    "longer_sound.mp4": f"-i IN {_SOUND.format(6, 'aac')} {_H264} OUT",
    "longer_sound.webm": f"-i IN {_SOUND.format(6, 'libopus')} {_VP8} OUT",
    "later_sound.mp4": f"-i IN -itsoffset 1.5 {_SOUND.format(4, 'aac')} {_H264} OUT",
    "later_film.mp4": f"-itsoffset 1 -i IN {_SOUND.format(5, 'aac')} {_H264} OUT",
    "late.mp4": f"-itsoffset 1 -i IN {_H264} OUT",
    "late.webm": f"-itsoffset 1 -i IN {_VP8} OUT",
    "turned.mp4": (
        f"-i IN -vf transpose=2 {_H264} lying.mp4 ; "
        "-i lying.mp4 -c copy -metadata:s:v rotate=270 OUT"
    ),
    "anamorphic.mp4": f"-i IN -vf scale=480:360,setsar=4/3 {_H264} OUT",
    "anamorphic.mov": f"-i IN -vf scale=720:576,setsar=64/45 {_H264} OUT",
    "anamorphic.webm": f"-i IN -vf scale=480:360,setsar=4/3 {_VP8} OUT",
    "thumbnail.mov": (
        f"{_STILL} -i IN -map 0 -map 1 {_H264} -c:v:0 mjpeg -pix_fmt:v:0 yuvj420p OUT"
    ),
    "cover.mp4": (
        f"-i IN {_STILL} -map 0 -map 1 {_H264} -c:v:1 mjpeg -pix_fmt:v:1 yuvj420p "
        "-disposition:v:1 attached_pic OUT"
    ),
    "timecode.mov": f"-i IN {_H264} -timecode 01:00:00:00 OUT",
    "timecode.mp4": f"-i IN {_SOUND.format(4, 'aac')} {_H264} -timecode 01:00:00:00 OUT",
    "odd_size.mp4": f"-i IN -vf scale=637:357 {_H264} -pix_fmt yuv444p OUT",
    "odd_size.webm": f"-i IN -vf scale=637:357 {_VP9} -pix_fmt yuv420p OUT",
    "ten_bits.mp4": f"-i IN {_H264} -pix_fmt yuv420p10le -colorspace smpte170m OUT",
    "interlaced.mp4": (
        f"-i IN -vf tinterlace=interleave_top,fieldorder=tff {_H264} -flags +ildct+ilme OUT"
    ),
    "full_range.mp4": f"-i IN -vf scale=out_range=full {_H264} -color_range pc OUT",
    "jpeg_range.mp4": f"-i IN {_H264} -pix_fmt yuvj420p OUT",
    "hd_without_tags.mp4": f"-i IN -vf scale=1280:720:out_color_matrix=bt709 {_H264} OUT",
    "hd.mp4": (
        f"-i IN -vf scale=1280:720:out_color_matrix=bt709 {_H264} "
        "-colorspace bt709 -color_primaries bt709 -color_trc bt709 OUT"
    ),
    "sd_as_hd.mp4": (
        f"-i IN -vf scale=640:360:out_color_matrix=bt709 {_H264} "
        "-colorspace bt709 -color_primaries bt709 -color_trc bt709 OUT"
    ),
    "sd.mp4": (
        f"-i IN {_H264} -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m OUT"
    ),
    "p3.mp4": (
        f"-i IN -vf {_SRGB}:p=smpte432:t=709:m=709:r=limited,format=yuv420p {_H264} "
        "-colorspace bt709 -color_primaries smpte432 -color_trc bt709 OUT"
    ),
    "wide.mp4": (
        f"-i IN -vf {_SRGB}:p=2020:t=2020_10:m=2020_ncl:r=limited,format=yuv420p10le {_H264} "
        "-pix_fmt yuv420p10le -colorspace bt2020nc -color_primaries bt2020 "
        "-color_trc bt2020-10 OUT"
    ),
    "pq.mp4": f"{_PQ} {_H264} -pix_fmt yuv420p10le OUT",
    "pq.webm": f"{_PQ} {_VP9} -profile:v 2 OUT",
    "pq_av1.mp4": f"{_PQ} {_AV1} OUT",
    "pq_hevc.mp4": f"{_PQ} {_HEVC} OUT",
    "hlg.mp4": f"{_HLG} {_H264} -pix_fmt yuv420p10le OUT",
    "hlg.webm": f"{_HLG} {_VP9} -profile:v 2 OUT",
    "hlg_av1.mp4": f"{_HLG} {_AV1} OUT",
}
"""By name, what is said to ffmpeg, once or twice; IN is the film without loss, OUT the clip."""


def drawn(number: int) -> Image.Image:
    """Return a frame: a scene that goes on, and below it a bright, a dark, and seven cells."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    way = number / FRAMES
    for top in range(0, HEIGHT, 4):
        down = top / HEIGHT
        paint = (60 + 150 * down * (1 - way) + 30 * way, 90 + 100 * (1 - down), 200 - 150 * down)
        draw.rectangle((0, top, WIDTH, top + 4), fill=tuple(map(int, paint)))
    draw.ellipse((40 + 300 * way, 60, 200 + 300 * way, 220), fill=(220, 60, 50))
    draw.rectangle((420 - 200 * way, 150, 600 - 200 * way, 260), fill=(40, 120, 60))
    draw.polygon([(500, 20), (620, 20), (560, 120)], fill=(240, 220, 90))
    for place, is_bright in enumerate([1, 0, *(number >> bit & 1 for bit in range(_BITS))]):
        left = _LEFT + place * _CELL
        paint = (235, 235, 235) if is_bright else (20, 20, 20)
        draw.rectangle((left, _TOP, left + _CELL - 1, _BOTTOM), fill=paint)
    return image


def number_of(image: Image.Image) -> int | None:
    """Return the number that a frame shows; None: it shows none."""
    across, down = image.width / WIDTH, image.height / HEIGHT
    levels: list[int] = []
    for place in range(2 + _BITS):
        left = _LEFT + place * _CELL
        box = ((left + 20) * across, 310 * down, (left + 44) * across, 330 * down)
        cell = image.convert("L").crop(tuple(map(round, box)))
        levels.append(cell.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
    bright, dark, *cells = levels
    if bright - dark < 40:
        return None
    return sum((level > (bright + dark) / 2) << bit for bit, level in enumerate(cells))


def film(folder: Path) -> Path:
    """Write the film without loss, from which the clips are made."""
    path = folder / "film.mkv"
    words = f"-f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r {RATE} -i - -c:v ffv1 -pix_fmt gbrp"
    data = b"".join(drawn(number).tobytes() for number in range(FRAMES))
    run(folder, *words.split(), str(path), data=data)
    return path


def clip(folder: Path, name: str) -> Path:
    """Make one of the clips."""
    for words in CLIPS[name].split(" ; "):
        run(folder, *({"IN": "film.mkv", "OUT": name}.get(word, word) for word in words.split()))
    return folder / name


def run(folder: Path, *words: str, data: bytes | None = None) -> None:
    """Run ffmpeg."""
    assert FFMPEG is not None
    ended = subprocess.run(
        [FFMPEG, "-v", "error", "-y", *words],
        cwd=folder, input=data, capture_output=True, check=False,
    )  # fmt: skip
    assert not ended.returncode, ended.stderr.decode()[-2000:]
