"""Clips of outside programs, beside what Chromium's <video> shows at half of their duration."""

import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from chromium import CHROMIUM, Page, browser
from clip_kit import CLIPS, FFMPEG, clip, film, number_of, run
from PIL import Image, ImageEnhance, ImageStat

from vimmerse_async.emulator.media.frames import middle_frame
from vimmerse_async.emulator.vision import clauses, placing
from vimmerse_async.emulator.vision.measure import measure
from vimmerse_async.emulator.vision.picture import Picture

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(CHROMIUM is None or FFMPEG is None, reason="needs Chromium and ffmpeg"),
]
LOOK = """new Promise((done, fail) => {
    const film = document.createElement('video'), canvas = document.createElement('canvas');
    document.body.replaceChildren(film);
    film.muted = true;
    film.onerror = () => done(null);
    film.onloadeddata = () => { film.currentTime = film.duration / 2; };
    film.onseeked = () => setTimeout(() => {
        if (Math.abs(film.currentTime - film.duration / 2) > 1e-5) {
            film.currentTime = film.duration / 2;
            return;
        }
        canvas.width = film.videoWidth;
        canvas.height = film.videoHeight;
        canvas.getContext('2d').drawImage(film, 0, 0);
        done(canvas.toDataURL());
    }, 300);
    film.src = %s;
})"""
ALIKE, HIGH_RANGE = 12, 60
"""By so many of 256 levels a clip may be lighter than Chromium shows it. Without a screen of high
dynamic range Chromium halves the light of such films; here a white sheet is white (BT.2408)."""
AT_LEAST = 40
"""So many of the clips can be played by a Chromium without the codecs that cost money."""


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Page]:
    app = web.Application()
    app.router.add_get("/", empty)
    app.router.add_static("/clips", tmp_path)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with browser(tmp_path, manages_colours=True) as tab:
        port = runner.addresses[0][1]
        await tab.send("Page.navigate", url=f"http://127.0.0.1:{port}/")
        await tab.loaded()
        yield tab
    await runner.cleanup()


async def empty(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><body></body>", content_type="text/html")


async def shown(tab: Page, name: str) -> Image.Image | None:
    """Return what is shown at half of the duration; None where it cannot be played."""
    address = await tab.value(LOOK % json.dumps(f"/clips/{name}"))
    if address is None:
        return None
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB")


def said(picture: Picture) -> set[str]:
    """Return each statement that is made of a picture, in the first of its wordings."""

    def first(words: tuple[str, ...]) -> str:
        return words[0]

    statements = {
        *clauses.adjectives(picture, first),
        clauses.shape(picture, first),
        *clauses.rendering(picture, first),
        *clauses.finish(picture, first),
    }
    for listed in (placing.colours(picture), *placing.places(picture)):
        lead, words = ("touches of ", listed[11:]) if listed.startswith("touches") else ("", listed)
        statements |= {lead + word for word in words.replace(" and ", ", ").split(", ")}
    return {statement.removeprefix("in ") for statement in statements}


def true_of(image: Image.Image) -> set[str]:
    """Return what is said of a picture that is looked at closely, from afar, in more or less light.

    What stands at an edge of its meaning is true, and so is its neighbour.
    """
    size = image.size
    looks = [image, *(ImageEnhance.Brightness(image).enhance(share) for share in (0.96, 1.04))]
    looks += [image.resize((size[0] * part // 8, size[1] * part // 8)) for part in (4, 7)]
    return set().union(*(said(measure(look, *size)) for look in looks))


async def test_what_chromium_shows(tmp_path: Path, chromium: Page) -> None:
    """The frame is within one of the player's, as bright, and 95 % of what is said is true."""
    film(tmp_path)
    wrong: dict[str, Any] = {}
    statements = untrue = played = 0
    for name in CLIPS:
        path = clip(tmp_path, name)
        image, *size = middle_frame(path.read_bytes())
        other = await shown(chromium, name)
        is_played = other is not None and number_of(other) is not None
        reference = other if other is not None and is_played else sought(path)
        numbers = number_of(image), number_of(reference)
        assert None not in numbers, name
        assert abs(numbers[0] - numbers[1]) <= 1, f"{name}: {numbers}"
        if not is_played:  # of colours, ffmpeg's own look says less
            continue
        played += 1
        assert size == list(reference.size), name
        difference = brightness(image) - brightness(reference)
        is_high = name.startswith(("pq", "hlg"))
        assert -ALIKE < difference < (HIGH_RANGE if is_high else ALIKE), f"{name}: {difference}"
        if is_high:
            continue
        made = said(measure(image.convert("RGB"), *size))
        statements += len(made)
        if lies := made - true_of(reference):
            wrong[name] = lies
            untrue += len(lies)
    print(f"{played} of {len(CLIPS)} played, {statements - untrue} of {statements} true", wrong)  # noqa: T201 - the figure
    assert played >= AT_LEAST
    assert untrue <= 0.05 * statements, wrong


def brightness(image: Image.Image) -> float:
    return float(ImageStat.Stat(image.convert("L")).mean[0])


def sought(path: Path) -> Image.Image:
    """Return what ffmpeg shows at half of a clip that the browser does not play."""
    import av

    with av.open(str(path)) as container:
        half = (container.duration or 0) / 2e6
    run(path.parent, "-ss", str(half), "-i", path.name, "-frames:v", "1", "sought.png")
    return Image.open(path.parent / "sought.png").convert("RGB")
