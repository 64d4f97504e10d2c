"""The page in a real browser: rows, marks, keys, filters in the address, widths, schemes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from chromium import CHROMIUM, Page, browser
from journal_kit import NASTY, some_rows

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
COUNT = "document.querySelector('#count').textContent"


@pytest.fixture
async def chromium(tmp_path) -> AsyncIterator[Page]:
    async with browser(tmp_path) as tab:
        await tab.view(1360, 900)
        yield tab


async def until(tab: Page, code: str, true: Callable[[Any], object]) -> Any:
    for _ in range(1_000):
        if true(value := await tab.value(code)):
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"{code} is {value!r}")


async def show(tab: Page, address: str) -> None:
    tab.events.clear()
    await tab.send("Page.navigate", url=address)
    await until(tab, f"document.readyState === 'complete' && {COUNT}", lambda text: text)
    await until(tab, "document.querySelector('h1').textContent", "A catalog".__eq__)


def hosts(tab: Page) -> set[str]:
    return {url.split("/")[2].partition(":")[0] for url in tab.requests() if "//" in url}


async def test_look_mark_and_filter(looking, serving, chromium):
    """Rows are searched, marked by key and by hand, edited, and filtered by what was said."""
    rows = list(some_rows(400))
    rows[3] = {**rows[3], "prompt": NASTY}
    found = looking(rows)
    async with serving(found) as address:
        await show(chromium, address)
        assert await chromium.value(COUNT) == "400 rows"
        assert (
            await chromium.value("document.querySelectorAll('article .said')[3].textContent")
            == NASTY
        )
        assert await chromium.value("document.querySelectorAll('article b').length") == 0
        await chromium.key("/", 191, "/")
        for letter in "take 12":
            await chromium.key(letter, 0, letter)
        await until(chromium, COUNT, lambda text: " of 400" in text)
        assert "q=take+12" in await chromium.value("location.hash")
        await chromium.key("Enter", 13)
        await chromium.key("b", 66, "b")
        await until(
            chromium, "document.querySelector('article.bad .said')?.textContent", lambda it: it
        )
        await chromium.key("ArrowRight", 39)
        await chromium.key("Enter", 13)
        await until(chromium, "document.querySelector('#detail').open", bool)
        await chromium.key("g", 71, "g")
        await until(
            chromium, "document.querySelector('[data-mark=good]').ariaPressed", "true".__eq__
        )
        await chromium.value("document.querySelector('#edited').value = 'mine alone'")
        await chromium.value("document.querySelector('[data-do=save]').click()")
        await until(chromium, "document.querySelector('#saved').textContent", "saved".__eq__)
        await chromium.key("Escape", 27)
        await chromium.value("location.hash = 'said=good'")
        await until(chromium, COUNT, "1 of 400 rows".__eq__)
        assert await chromium.value("document.querySelector('article .said').textContent") == (
            "mine alone"
        )
        await chromium.value("location.hash = 'state=failed&order=reversed'")
        await until(chromium, COUNT, lambda text: text.startswith(("9 ", "10 ")))
        assert hosts(chromium) <= {"127.0.0.1", "img0.example", "img1.example", "img2.example"}
        noted = [each for each in chromium.complaints() if "ERR_NAME_NOT" not in str(each)]
        assert not [each for each in noted if "ERR_INTERNET" not in str(each)]


async def test_end_of_a_long_catalog(looking, serving, chromium):
    """The last of many rows is reached by a key and by scrolling, in few elements."""
    found = looking(5_000)
    async with serving(found) as address:
        await show(chromium, address)
        await chromium.value("document.querySelector('article').focus()")
        await chromium.key("End", 35)
        await until(chromium, "document.activeElement.ariaPosInSet", "5000".__eq__)
        await until(
            chromium, "document.activeElement.ariaLabel", lambda text: "number 4999" in (text or "")
        )
        assert await chromium.value("document.querySelectorAll('article').length") < 60


async def test_print(looking, serving, chromium):
    """All rows that the filter shows go to paper, also those that were never in view."""
    found = looking(500)
    async with serving(found) as address:
        await show(chromium, address)
        count = "document.querySelectorAll('.paper article .said').length"
        await chromium.value(f"window.print = () => {{ window.printed = {count}; }}")
        await chromium.value("document.querySelector('#print').click()")
        assert await until(chromium, "window.printed", bool) == 500
        await chromium.value("dispatchEvent(new Event('afterprint'))")
        assert await chromium.value("document.querySelectorAll('article').length") < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
async def test_widths(looking, serving, chromium, width, scheme):
    """Nothing sticks out sideways; every control has a name."""
    found = looking(60)
    async with serving(found) as address:
        await chromium.view(width, 844, scheme)
        await show(chromium, address)
        assert await chromium.value("document.documentElement.scrollWidth") == width
        unnamed = (
            "[...document.querySelectorAll('button, input, select, textarea')].filter(one => "
            "!one.textContent.trim() && !one.ariaLabel && !one.labels?.length).length"
        )
        assert await chromium.value(unnamed) == 0
