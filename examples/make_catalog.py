"""Draws the pictures and the video of examples/catalog/: the same ones every time.

Run it with the extras `emulator` and `video` installed:

    python examples/make_catalog.py [DIRECTORY]
"""

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = str | tuple[int, ...]
Size = tuple[int, int]

SMOOTH = Image.Resampling.LANCZOS
SOFT = Image.Resampling.BICUBIC
FRAMES, RATE, FILM = 36, 12, (320, 180)


def sky(stops: Sequence[Colour], size: Size) -> Image.Image:
    """A gradient through these colours from the top to the bottom."""
    column = Image.new("RGB", (1, len(stops)))
    for row, colour in enumerate(stops):
        column.paste(colour, (0, row, 1, row + 1))
    return column.resize(size, SOFT)


def cloud(size: Size, cell: int, dice: random.Random, octaves: int = 4) -> Image.Image:
    """Smooth grey noise: patches of `cell` pixels, and finer ones within them."""
    total = Image.new("L", size, 128)
    for octave in range(octaves):
        step = max(2, cell >> octave)
        across, down = size[0] // step + 3, size[1] // step + 3
        grain = Image.frombytes("L", (across, down), dice.randbytes(across * down))
        total = Image.blend(total, grain.resize(size, SOFT), 0.5 / (octave + 0.5) ** 0.7)
    return total


def ridge(
    image: Image.Image, level: float, height: float, colour: Colour, dice: random.Random
) -> None:
    """A line of hills across the picture, filled to the bottom; shares of the picture's height."""
    width, tall = image.size
    waves = [(dice.uniform(0.6, 1.4) * 2**k, dice.uniform(0, 7), 0.55**k) for k in range(7)]
    line = [
        (x, tall * (level - height * sum(a * math.sin(f * 5 * x / width + p) for f, p, a in waves)))
        for x in range(0, width + 4, 4)
    ]
    ImageDraw.Draw(image).polygon([(0, tall), *line, (width, tall)], fill=colour)


def glow(
    image: Image.Image, centre: tuple[float, float], radius: float, colour: Colour, blur: float
) -> Image.Image:
    """Light of this colour around a point; centre and radius in shares of the sides."""
    width, height = image.size
    x, y, reach = centre[0] * width, centre[1] * height, radius * height
    light = Image.new("RGB", image.size)
    ImageDraw.Draw(light).ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    return ImageChops.screen(image, light.filter(ImageFilter.GaussianBlur(blur * height)))


def disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, **paint: Any) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), **paint)


def dunes(dice: random.Random) -> Image.Image:
    image = sky(["#3b2a63", "#8a3f74", "#e0705a", "#ffb45e", "#ffd98a"], (1440, 960))
    image = glow(image, (0.66, 0.56), 0.10, "#ffe9b0", 0.05)
    disc(ImageDraw.Draw(image), 950, 540, 84, fill="#fff3cf")
    for level, colour in ((0.66, "#c9683f"), (0.76, "#9c4632"), (0.88, "#5d2630")):
        ridge(image, level, 0.035, colour, dice)
    return image


def ridges(dice: random.Random) -> Image.Image:
    image = sky(["#cfe3e6", "#e8efe9", "#f4efe2"], (1280, 720))
    for step in range(6):
        fade = step / 5
        colour = tuple(int(a + (b - a) * fade) for a, b in ((160, 12), (192, 52), (196, 64)))
        ridge(image, 0.42 + 0.11 * step, 0.05, colour, dice)
        mist = sky(["#000000", "#000000", "#20282a"], image.size)
        image = ImageChops.screen(image, mist)
    return image


def night(dice: random.Random) -> Image.Image:
    image = sky(["#03061a", "#0a1440", "#1b2f6b", "#35508f"], (1280, 854))
    haze = cloud(image.size, 240, dice).point(lambda level: max(0, level - 120))
    image = ImageChops.screen(
        image, Image.merge("RGB", (haze.point(lambda v: v // 3),) * 2 + (haze,))
    )
    draw = ImageDraw.Draw(image)
    for _ in range(420):
        bright = dice.randrange(120, 256)
        x, y = dice.randrange(1280), dice.randrange(700)
        disc(draw, x, y, dice.choice((1, 1, 1, 2, 3)), fill=(bright, bright, min(255, bright + 20)))
    image = glow(image, (0.24, 0.24), 0.08, "#f5ecd0", 0.035)
    disc(ImageDraw.Draw(image), 307, 205, 62, fill="#fbf4de")
    ridge(image, 0.86, 0.04, "#02040c", dice)
    return image


def lake(dice: random.Random) -> Image.Image:
    half = sky(["#5b8fc4", "#a9cbe4", "#f3d9c0"], (1200, 450))
    for level, colour in ((0.66, "#7d8fae"), (0.82, "#4f6685"), (0.97, "#24384f")):
        ridge(half, level, 0.09, colour, dice)
    image = Image.new("RGB", (1200, 900))
    image.paste(half, (0, 0))
    image.paste(half.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, 450))
    return image


def poster(_: random.Random) -> Image.Image:
    image = Image.new("RGB", (960, 1440), "#f1e6d0")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 960, 960, 1440), fill="#1d4e6b")
    disc(draw, 480, 560, 330, fill="#d8412f")
    draw.pieslice((150, 230, 810, 890), 90, 270, fill="#17181c")
    draw.polygon([(480, 1060), (760, 1340), (200, 1340)], fill="#f2b632")
    for step in range(5):
        draw.rectangle((90, 1000 + 36 * step, 170, 1014 + 36 * step), fill="#f1e6d0")
    disc(draw, 800, 170, 60, fill="#f2b632")
    return image


def tiles(_: random.Random) -> Image.Image:
    tile = Image.new("RGB", (240, 240), "#f7f3e8")
    draw = ImageDraw.Draw(tile)
    for x, y in ((0, 0), (240, 0), (0, 240), (240, 240)):
        disc(draw, x, y, 96, fill="#1c6a7d")
        disc(draw, x, y, 66, fill="#f7f3e8")
        disc(draw, x, y, 36, fill="#d98b2b")
    draw.polygon([(120, 36), (204, 120), (120, 204), (36, 120)], fill="#123c52")
    draw.polygon([(120, 70), (170, 120), (120, 170), (70, 120)], fill="#e9c46a")
    image = Image.new("RGB", (1200, 1200))
    for place in range(25):
        image.paste(tile, (place % 5 * 240, place // 5 * 240))
    return image


def awning(_: random.Random) -> Image.Image:
    image = Image.new("RGB", (1200, 900), "#fbf1dd")
    draw = ImageDraw.Draw(image)
    for left in range(0, 1200, 120):
        draw.rectangle((left, 0, left + 59, 760), fill="#c8322f")
        disc(draw, left + 30, 760, 30, fill="#c8322f")
        disc(draw, left + 90, 760, 30, fill="#fbf1dd")
    return image


def ripples(_: random.Random) -> Image.Image:
    image = Image.new("L", (1260, 840), 96)
    draw = ImageDraw.Draw(image)
    for reach in range(1100, 0, -2):
        level = 104 + 120 * math.cos(reach / 21) * math.exp(-reach / 330)
        draw.ellipse(
            (780 - reach, 400 - reach * 0.5, 780 + reach, 400 + reach * 0.5), fill=int(level)
        )
    shade = sky(["#ffffff", "#d0d0d0", "#707070"], image.size).convert("L")
    return ImageChops.multiply(image.filter(ImageFilter.GaussianBlur(2)), shade)


def spiral(_: random.Random) -> Image.Image:
    image = Image.new("RGB", (1200, 1200), "#10141f")
    draw = ImageDraw.Draw(image)
    for number in range(3, 620):
        angle, reach = number * math.pi * (3 - math.sqrt(5)), 23 * math.sqrt(number)
        warm = number / 620
        paint = (255, int(214 - 130 * warm), int(90 - 60 * warm))
        x, y = 600 + reach * math.cos(angle), 600 + reach * math.sin(angle)
        disc(draw, x, y, 5 + 11 * warm, fill=paint)
    return image


def aurora(dice: random.Random) -> Image.Image:
    image = sky(["#020810", "#05202a", "#0b3d3d", "#041018"], (1280, 720))
    curtain = Image.new("RGB", image.size)
    draw = ImageDraw.Draw(curtain)
    for x in range(0, 1280, 3):
        base = 400 + 90 * math.sin(x / 170) + 40 * math.sin(x / 61)
        tall = 190 + 90 * math.sin(x / 97 + 2) + dice.randrange(60)
        for step in range(12):
            top = base - tall * (step + 1) / 12
            green = int(190 * (1 - step / 12) ** 1.4)
            paint = (int(8 * step), green, int(60 + 7 * step))
            draw.rectangle((x, top, x + 3, base - tall * step / 12), fill=paint)
    image = ImageChops.screen(image, curtain.filter(ImageFilter.GaussianBlur(9)))
    ridge(image, 0.88, 0.04, "#010508", dice)
    return image


def citrus(_: random.Random) -> Image.Image:
    image = Image.new("RGB", (1080, 1350), "#fde3df")
    draw = ImageDraw.Draw(image)
    for row in range(5):
        for column in range(4):
            x, y = 180 + 270 * column - 135 * (row % 2), 160 + 258 * row
            rind, flesh = (("#f6a821", "#ffd166"), ("#8cc152", "#d4ea8f"))[(row + column) % 2]
            disc(draw, x, y, 108, fill=rind)
            disc(draw, x, y, 96, fill="#fffaf0")
            for wedge in range(8):
                draw.pieslice(
                    (x - 88, y - 88, x + 88, y + 88), wedge * 45 + 3, wedge * 45 + 42, fill=flesh
                )
    return image


def rain(dice: random.Random) -> Image.Image:
    image = sky(["#0b0d16", "#171a2c", "#0d0f18"], (1280, 854))
    for _ in range(70):
        x, y = dice.random(), dice.gauss(0.55, 0.16)
        colour = dice.choice(("#b8742a", "#a03a2a", "#2a6fa0", "#8a8a70", "#b89a3a"))
        image = glow(image, (x, y), dice.uniform(0.015, 0.06), colour, 0.012)
    return image


def snow(dice: random.Random) -> Image.Image:
    image = sky(["#dfe8f0", "#f2f5f8", "#fbfbfa"], (1200, 800))
    for level, colour in ((0.55, "#e9eef3"), (0.68, "#f2f5f8"), (0.82, "#fafbfc")):
        ridge(image, level, 0.03, colour, dice)
    draw = ImageDraw.Draw(image)
    for x, y, tall in ((820, 470, 120), (880, 500, 90), (770, 505, 80)):
        for tier in range(3):
            top, spread = y - tall + tier * tall * 0.28, tall * (0.16 + 0.09 * tier)
            draw.polygon(
                [(x, top), (x + spread, top + tall / 2), (x - spread, top + tall / 2)],
                fill="#5f7480",
            )
    return image


def badge(_: random.Random) -> Image.Image:
    image = Image.new("RGBA", (960, 960))
    draw = ImageDraw.Draw(image)
    points = [
        (480 + reach * math.cos(turn), 480 + reach * math.sin(turn))
        for spike in range(48)
        for reach, turn in ((440, spike * math.pi / 24), (405, (spike + 0.5) * math.pi / 24))
    ]
    draw.polygon(points, fill="#6a3fa0")
    disc(draw, 480, 480, 350, fill="#f8d34b")
    disc(draw, 480, 480, 322, fill="#6a3fa0")
    star = [
        (480 + reach * math.sin(k * math.pi / 5), 490 - reach * math.cos(k * math.pi / 5))
        for k in range(10)
        for reach in ((250, 104)[k % 2],)
    ]
    draw.polygon(star, fill="#f8d34b")
    return image


def waves(_: random.Random) -> Image.Image:
    image = Image.new("RGB", (1920, 640), "#f3e3c3")
    draw = ImageDraw.Draw(image)
    disc(draw, 1500, 190, 110, fill="#d9482b")
    for row, colour in enumerate(("#6fa3bf", "#3f7ea6", "#215d8a", "#123f68", "#0a2747")):
        base = 260 + 80 * row
        crest = [
            (x, base + 34 * math.sin(x / 95 + row * 1.9) + 12 * math.sin(x / 41 + row))
            for x in range(0, 1925, 5)
        ]
        draw.polygon([(0, 640), *crest, (1920, 640)], fill=colour)
        draw.line(crest, fill="#f7f1e3", width=7)
    return image


Painter = Callable[[random.Random], Image.Image]
PICTURES: dict[str, tuple[Painter, Size, dict[str, Any]]] = {
    "aurora.jpg": (aurora, (640, 360), {"quality": 82}),
    "awning-stripes.png": (awning, (400, 300), {"optimize": True}),
    "citrus-slices.png": (citrus, (320, 400), {"optimize": True}),
    "dunes-at-dusk.jpg": (dunes, (720, 480), {"quality": 82}),
    "geometric-poster.png": (poster, (320, 480), {"optimize": True}),
    "misty-ridges.jpg": (ridges, (640, 360), {"quality": 82}),
    "moonlit-hills.jpg": (night, (600, 400), {"quality": 80}),
    "painted-tiles.webp": (tiles, (400, 400), {"quality": 70}),
    "purple-badge.png": (badge, (320, 320), {"optimize": True}),
    "rainy-lights.webp": (rain, (640, 427), {"quality": 80}),
    "silver-ripples.jpg": (ripples, (630, 420), {"quality": 82}),
    "snowfield.jpg": (snow, (600, 400), {"quality": 84}),
    "spiral-seeds.webp": (spiral, (400, 400), {"quality": 75}),
    "still-lake.webp": (lake, (600, 450), {"quality": 84}),
    "woodcut-waves.jpg": (waves, (960, 320), {"quality": 84}),
}


def sunrise(share: float) -> Image.Image:
    """One moment of a sun that rises out of the sea."""
    night_sky, day_sky = ("#101638", "#3a2c5e", "#8a4a5e"), ("#4a90d0", "#9cc4e4", "#ffd9a0")
    image = Image.blend(sky(night_sky, FILM), sky(day_sky, FILM), share)
    height = 0.75 - 0.5 * share
    image = glow(image, (0.5, height), 0.12, "#ff9a3c", 0.09)
    disc(ImageDraw.Draw(image), FILM[0] / 2, height * FILM[1], 17, fill="#fff0c0")
    sea = Image.blend(sky(("#1a1430", "#0a0a1c"), FILM), sky(("#2f7ea8", "#14466e"), FILM), share)
    image.paste(sea.crop((0, 0, FILM[0], 62)), (0, 118))
    return image


def film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "26", "threads": "1"})
        stream.width, stream.height = FILM
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_image(sunrise(number / (FRAMES - 1)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def main(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, (paint, size, options) in PICTURES.items():
        image = paint(random.Random(name)).resize(size, SMOOTH)
        if name.endswith(".png"):
            image = image.quantize(48, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        image.save(target / name, **options)
    film(target / "sunrise.mp4")
    for file in sorted(target.iterdir()):
        print(f"{file.stat().st_size:>9,} bytes  {file.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "catalog")
