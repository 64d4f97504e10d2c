"""Pictures and videos whose truths are known because they were made here."""

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

Paint = tuple[int, int, int]
RED, GREEN, BLUE = (210, 30, 35), (40, 150, 60), (40, 80, 210)
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def solid(paint: Paint, width: int = 240, height: int = 160) -> Image.Image:
    return Image.new("RGB", (width, height), paint)


def with_box(ground: Paint, paint: Paint, box: tuple[float, float, float, float]) -> Image.Image:
    """Paint a box on a ground; the box is given in shares of the sides."""
    image = solid(ground)
    left, top, right, bottom = box
    width, height = image.size
    image.paste(
        paint, (int(left * width), int(top * height), int(right * width), int(bottom * height))
    )
    return image


def gradient(turn: int = 0, size: tuple[int, int] = (240, 160)) -> Image.Image:
    """White at the top, black at the bottom; turned counter-clockwise by `turn` degrees."""
    ramp = Image.linear_gradient("L").transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return ramp.rotate(turn).resize(size).convert("RGB")


def checker(cell: int, first: Paint = BLACK, second: Paint = WHITE) -> Image.Image:
    image = solid(first, 256, 256)
    draw = ImageDraw.Draw(image)
    for row in range(0, 256, cell):
        for column in range((row // cell % 2) * cell, 256, 2 * cell):
            draw.rectangle((column, row, column + cell - 1, row + cell - 1), fill=second)
    return image


def stripes(width: int, *, level: bool) -> Image.Image:
    image = solid(WHITE, 256, 256)
    draw = ImageDraw.Draw(image)
    for start in range(0, 256, 2 * width):
        end = start + width - 1
        draw.rectangle((0, start, 255, end) if level else (start, 0, end, 255), fill=BLACK)
    return image


def blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def video(
    paints: Sequence[Paint],
    *,
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (96, 64),
    frames: int = 30,
) -> bytes:
    """Make a video that shows each of the colours for an equal time."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as film:
        stream = film.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(frames):
            paint = paints[number * len(paints) // frames]
            frame = av.VideoFrame.from_image(Image.new("RGB", size, paint))
            frame.pts = number
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return buffer.getvalue()
