"""The page: what it holds, and what it can never do."""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from drawn import RED, encoded, solid
from hypothesis import given
from hypothesis import strategies as st
from journal_kit import NASTY, known, make_journal, some_rows

from vimmerse_async.catalog.export import known_questions
from vimmerse_async.catalog.pictures import Pictures
from vimmerse_async.catalog.report import embedded, page
from vimmerse_async.catalog.timeline import MOST, Timeline
from vimmerse_async.cli.app import run
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.journal.kept import Sample
from vimmerse_async.journal.reader import JournalReader


class Elements(HTMLParser):
    """Collects the page's elements, and what stands in its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._within: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        inner = tag in {"script", "style", "title"}
        self._within = (dict(attrs).get("id") or tag) if inner else None

    def handle_endtag(self, tag: str) -> None:
        self._within = None

    def handle_data(self, data: str) -> None:
        if self._within is not None:
            self.texts[self._within] = self.texts.get(self._within, "") + data


def page_of(
    path: Path,
    rows: Iterable[dict[str, Any]],
    title: str = "A catalog",
    pictures: Pictures | None = None,
    samples: int = 0,
) -> str:
    rows = list(rows)
    if not path.exists():
        make_journal(path, rows, samples=samples, source=title)
    with JournalReader(path) as journal:
        return "".join(page(journal, known(rows), title, pictures or Pictures()))


def rows_of(text: str) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(Elements(text).texts["rows"])
    return rows


def test_what_it_holds(tmp_path: Path) -> None:
    """Every row, every column, every fault by its reason, the totals, the timeline."""
    text = page_of(tmp_path / "a.journal", some_rows(180), samples=30)
    rows, head = rows_of(text), json.loads(Elements(text).texts["head"])
    assert [row[8][0] for row in rows] == [f"VM-{place:06}" for place in range(180)]
    assert [row[1] for row in rows].count(3) == 2
    assert head["columns"] == ["sku", "title", "image"]
    assert head["groups"] == [["UnprocessableEntityError", "no picture …"]]
    facts = {name: value for value, name, _ in head["facts"]}
    assert facts["calls made"] == 178
    assert facts["calls saved"] == 30
    assert facts["refused (429)"] == 7
    assert facts["perhaps charged"] == 1
    assert facts["failed"] == 4
    assert len(head["samples"]) == 30


def test_everything_foreign_is_text(tmp_path: Path) -> None:
    """Neither prompt, error, column, file name nor title can become an element or a script."""
    rows = [
        {"fields": {NASTY: NASTY, "image": f"https://a.example/{NASTY}"}, "prompt": NASTY},
        {"fields": {"file": NASTY}, "error": (NASTY, NASTY)},
    ]
    plain = page_of(tmp_path / "b.journal", some_rows(2))
    text = page_of(tmp_path / "a.journal", rows, title=NASTY)
    assert [tag for tag, _ in Elements(text).found] == [tag for tag, _ in Elements(plain).found]
    assert rows_of(text)[0][2] == NASTY
    assert json.loads(Elements(text).texts["head"])["columns"] == [NASTY, "image", "file"]


def test_policy(tmp_path: Path) -> None:
    """The page's policy allows its own script and style by hash, pictures, and nothing else."""
    text = page_of(tmp_path / "a.journal", some_rows(2))
    elements = Elements(text)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in elements.found
        if tag == "meta" and "http-equiv" in attributes
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name, rule in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(elements.texts[name].encode()).digest()
        assert rules.pop(rule) == f"'sha256-{base64.b64encode(digest).decode()}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "https: data: file:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    fetching = {"src", "href", "srcset", "style", "onload", "onerror", "onclick"}
    assert not any(fetching & attributes.keys() for _, attributes in elements.found)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_embedded_data_comes_back(value: Any) -> None:
    """Whatever the data holds, it is the same data again, and no markup on the way."""
    text = embedded(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


def test_lone_surrogates_survive() -> None:
    """Half a character, which no file can hold, is an escape."""
    assert json.loads(embedded("a\ud800é").encode()) == "a\ud800é"


def test_pictures(tmp_path: Path) -> None:
    """A picture is where it was, where it is mapped to, small and embedded, or at its URL."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a b.png").write_bytes(encoded(solid(RED)))
    url = "https://cdn.example/x/below/a%20b.png"
    local = (tmp_path / "below" / "a b.png").as_uri()
    rows = [
        {"fields": {"file": "below/a b.png", "url": url}, "prompt": "x"},
        {"fields": {"file": "gone.png", "url": url}, "prompt": "x"},
        {"fields": {"image": "https://cdn.example/x/below/a b.png?w=9"}, "prompt": "x"},
        {"fields": {"text": "no picture"}, "prompt": "x", "request": {"prompt": "no picture"}},
    ]
    path = tmp_path / "a.journal"
    found = [row[5] for row in rows_of(page_of(path, rows, pictures=Pictures(tmp_path)))]
    assert found == [local, url, "https://cdn.example/x/below/a b.png?w=9", None]
    mapped = Pictures(None, {"https://cdn.example/x": tmp_path})
    assert rows_of(page_of(path, rows, pictures=mapped))[2][5:7] == [local, "below/a b.png"]
    embed = rows_of(page_of(path, rows, pictures=Pictures(tmp_path, embed=True)))
    assert embed[0][5].startswith("data:image/webp;base64,")
    assert [row[6] for row in embed] == ["below/a b.png", "gone.png", "a b.png", "no picture"]


def test_a_run_from_python(tmp_path: Path) -> None:
    """A journal without a catalog shows its results."""
    path = make_journal(tmp_path / "a.journal", some_rows(5))
    with JournalReader(path) as journal:
        text = "".join(page(journal, known_questions(journal), "A list", Pictures()))
    assert [row[8] for row in rows_of(text)] == [
        [f"https://img{place % 3}.example/{place}.jpg"] for place in range(5)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, MOST - 1, MOST, MOST + 1, 5 * MOST + 3])
def test_timeline(count: int) -> None:
    """However long a run was, few points tell of it; the runs stand one after another."""
    samples = [Sample(1, 100 + n, 3, 16.0, None, 10 * n, n // 2) for n in range(count)]
    again = [Sample(2, 1e6 + n, 3, 16.0, None, 10 * n, 0) for n in range(count)]
    timeline = Timeline([*samples, *again])
    points = timeline.points
    assert len(points) <= MOST
    assert sum(point[4] for point in points) == max(0, count - 1) // 2
    assert points == sorted(points, key=lambda point: point[0])
    if count > 1:
        assert timeline.breaks == [count - 1]
        assert points[-1][0] == 2 * (count - 1)
        assert all(point[3] == pytest.approx(10, rel=0.6) for point in points)


def test_embedding_needs_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without Pillow `--embed` says so before it writes anything, and drops no picture silently."""
    path = make_journal(tmp_path / "a.journal", some_rows(2))
    (tmp_path / "a.png").write_bytes(encoded(solid(RED)))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(InvalidRequestError, match="--embed needs Pillow"):
        Pictures(tmp_path, embed=True).find({"file": "a.png"}, {})
    out = tmp_path / "r.html"
    assert run(["report", str(path), "--embed", "-o", str(out)]) == 2
    assert "vimmerse-async[emulator]" in capfd.readouterr().err
    assert not out.exists()
