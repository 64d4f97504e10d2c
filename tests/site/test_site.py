"""The built site, in a real browser: `make test-site`."""

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from chromium import CHROMIUM, Page, browser

SITE = Path(os.environ.get("SITE", "."))
AXE = Path(os.environ.get("AXE", "."))
PAGES = sorted(SITE.glob("*.html"))

pytestmark = pytest.mark.skipif(
    "SITE" not in os.environ or CHROMIUM is None, reason="`make test-site` builds the site"
)

SEARCHES = {
    "429": "recipes.html#rate-limit-too-many-requests",
    "503": "recipes.html",
    "excel": "recipes.html#excel-xlsx-a-round-trip",
    "Excel round trip": "recipes.html#excel-xlsx-a-round-trip",
    "xlsx": "recipes.html#excel-xlsx-a-round-trip",
    "preview with money": "recipes.html#what-will-it-cost-a-preview-with-money",
    "resume": "recipes.html#my-run-stopped-resume-go-on",
    "my run stopped": "recipes.html#my-run-stopped-resume-go-on",
    "cron": "recipes.html#cron-systemd-nightly",
    "FastAPI": "tutorial-web.html",
    "test without paying": "recipes.html#test-without-paying",
    "proxy": "proxy.html",
    "notebook": "recipes.html#jupyter-notebook-colab",
    "several processes": "sharing.html",
    "docker": "recipes.html#docker",
    "max_calls": "resume.html#a-ceiling-on-calls",
    "BatchStoppedError": "errors.html#vimmerse_async.BatchStoppedError",
    "is being written by another run": "troubleshooting.html#it-does-not-begin",
    "the batch stopped (credits)": "troubleshooting.html#it-stopped",
    "no column holds URLs": "troubleshooting.html#it-does-not-begin",
    "refnie": "tutorial-web.html",
}
"""What people type, and where they are led by one of the first three results."""

FOUND = "[...document.querySelectorAll('#found a')].map(link => link.getAttribute('href'))"
VIOLATIONS = """
    axe.run().then(run => run.violations
        .filter(found => ["serious", "critical"].includes(found.impact))
        .flatMap(found => found.nodes.map(node => `${found.id}: ${node.html.slice(0, 200)}`)))
"""
VIEWS = ((1360, 900, "light"), (1360, 900, "dark"), (390, 844, "light"), (390, 844, "dark"))


async def visit(tab: Page, address: str) -> None:
    """Open an address and wait until it is loaded."""
    tab.events.clear()
    await tab.send("Page.navigate", url=address)
    await tab.loaded()


async def test_people_find_it_by_their_words(tmp_path: Path) -> None:
    """Numbers, words, messages and what is nearly right lead to the section that answers."""
    async with browser(tmp_path) as tab:
        lost = {}
        for typed, wanted in SEARCHES.items():
            await visit(tab, f"{(SITE / 'search.html').resolve().as_uri()}?q={quote(typed)}")
            found = await tab.value(FOUND)
            if not any(each.startswith(wanted) for each in found[:3]):
                lost[typed] = found[:5]
            assert not tab.complaints()
    assert not lost


async def test_every_result_leads_somewhere(tmp_path: Path) -> None:
    """Each section that can be found is a place in a page that there is."""
    async with browser(tmp_path) as tab:
        await visit(tab, (SITE / "search.html").resolve().as_uri())
        addresses = await tab.value("SECTIONS.map(section => section.url)")
    assert len(addresses) > 200
    texts = {page.name: page.read_text("utf-8") for page in PAGES}
    for address in addresses:
        page, _, place = address.partition("#")
        assert not place or f'id="{place}"' in texts[page], address


async def test_a_page_can_be_used_by_ear_and_keyboard(tmp_path: Path) -> None:
    """Nothing critical or serious is found by axe on any page, light or dark, wide or narrow."""
    axe = AXE.read_text("utf-8")  # noqa: ASYNC240 - nothing else runs here
    found = {}
    async with browser(tmp_path) as tab:
        for view in VIEWS:
            await tab.view(*view)
            for page in PAGES:
                query = "?q=429" if page.name == "search.html" else ""
                await visit(tab, page.resolve().as_uri() + query)
                await tab.send("Runtime.evaluate", expression=axe)
                if violations := await tab.value(VIOLATIONS):
                    found[f"{page.name} {view}"] = violations
    assert not found, json.dumps(found, indent=1)


async def test_no_page_is_wider_than_a_phone(tmp_path: Path) -> None:
    """On 390 pixels only blocks and tables scroll sideways, never the page."""
    async with browser(tmp_path) as tab:
        await tab.view(390, 844)
        for page in PAGES:
            await visit(tab, page.resolve().as_uri())
            wide = await tab.value("document.documentElement.scrollWidth")
            assert wide <= 390, page.name


def test_every_page_has_its_copy() -> None:
    """llms.txt lists each page, and a Markdown copy with the names of its files lies beside it."""
    listed = re.findall(r"\]\((\S+\.md)\)", (SITE / "llms.txt").read_text("utf-8"))
    own = {page.stem for page in PAGES} - {"search", "genindex", "py-modindex"}
    assert sorted(listed) == sorted(f"{name}.md" for name in own)
    sources = Path(__file__).parents[2] / "docs"
    for name in own:
        copy = (SITE / f"{name}.md").read_text("utf-8")
        source = (sources / f"{name}.md").read_text("utf-8")
        for file in re.findall(r"^```\w+ (\S+\.\w+)$", source, re.MULTILINE):
            assert f"`{file}`:" in copy, f"{name}: {file}"
