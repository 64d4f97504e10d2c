"""The page's server answers its own page only, and shows whatever a row holds as it is."""

import json
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from drawn import RED, encoded, solid
from journal_kit import NASTY, some_rows

from vimmerse_async.journal.marks import Marks
from vimmerse_async.journal.reader import JournalReader

HERE = {"Content-Type": "application/json"}
NO_MARKS = (
    b"",
    b"[]",
    b"{",
    b'{"places": [0]}',
    b'{"places": 1, "changes": {"mark": null}}',
    b'{"places": [0], "changes": {"mark": "x"}}',
    b'{"places": [0], "changes": {"mark": ["bad"]}}',
    b'{"places": [0], "changes": {"question": "x"}}',
    b'{"places": [0, 4], "changes": {"mark": "bad"}}',
    b'{"places": ["0"], "changes": {"mark": "bad"}}',
)
NO_ORDERS = (
    {"name": "rm"},
    {"name": ["stop"]},
    {"name": "max_calls", "value": "-1"},
    {"name": "max_calls", "value": "9" * 5000},
    {"name": "stop", "value": 1},
)


async def test_a_page_of_rows(looking, serving):
    """Rows come in order, with answers, columns, and how many there are; a filter takes some."""
    found = looking()
    async with serving(found) as address, aiohttp.ClientSession() as session:

        async def rows(query: str) -> dict:
            async with session.get(f"{address}api/rows?{query}") as reply:
                assert reply.status == 200
                return await reply.json()

        first = await rows("from=2&count=3")
        assert (first["total"], [row["place"] for row in first["rows"]]) == (120, [2, 3, 4])
        row = first["rows"][0]
        assert row["title"] == "Canvas sneaker number 2, low and white"
        assert row["prompt"].endswith("take 2.")
        assert row["fields"]["sku"] == "VM-000002"
        assert row["picture"] == "https://img2.example/2.jpg"
        failed = await rows("state=failed")
        assert [row["place"] for row in failed["rows"]] == [39, 79, 119]
        assert (await rows("state=unasked"))["total"] == 1
        assert (await rows("q=VM-000017"))["rows"][0]["place"] == 17
        assert (await rows("q=CINÉMATIC+sneak+take"))["total"] == 116
        assert [row["place"] for row in (await rows("order=reversed&count=1"))["rows"]] == [119]
        assert [row["place"] for row in (await rows("order=newest&count=1"))["rows"]] == [119]
        assert (await rows("order=shortest&count=1"))["rows"][0]["place"] == 0
        assert (await rows("q=nothing+like+it"))["rows"] == []


async def test_marks_and_edits(looking, serving):
    """Rows are marked by place and by filter; what is said is in journal, filter and card."""
    found = looking()
    async with serving(found) as address, aiohttp.ClientSession() as session:

        async def post(body: object) -> dict:
            async with session.post(f"{address}api/marks", json=body) as reply:
                assert reply.status == 200
                return await reply.json()

        said = await post({"places": [3, 4, 89], "changes": {"mark": "bad", "note": "dull"}})
        assert said == {"marked": 2, "rows": 3}
        await post({"places": [4], "changes": {"edited": "ein Fuchs, über alles"}})
        wanted = {"q": "take", "said": "unmarked"}
        assert (await post({"filter": wanted, "changes": {"mark": "good"}}))["rows"] == 114
        async with session.get(f"{address}api/rows?said=bad") as reply:
            rows = (await reply.json())["rows"]
        assert [(row["place"], row["mark"], row["note"]) for row in rows] == [
            (3, "bad", "dull"), (4, "bad", "dull"),
        ]  # fmt: skip
        async with session.get(f"{address}api/rows?q=uber") as reply:
            assert [row["place"] for row in (await reply.json())["rows"]] == [4]
    with sqlite3.connect(found.path) as connection:
        marks = dict(connection.execute("SELECT mark, count(*) FROM marks GROUP BY mark"))
    connection.close()
    assert marks == {"bad": 2, "good": 114}
    assert found.selection.counts()["edited"] == 1
    found.look()
    assert found.selection.counts()["good"] == 114


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/", {}, "GET"),
        ("/wrong-token/", {}, "GET"),
        ("{base}", {"Host": "evil.example"}, "GET"),
        ("{base}", {"Host": "evil.example:{port}"}, "GET"),
        ("{base}", {"Host": "127.0.0.1"}, "GET"),
        ("{base}api/rows", {"Origin": "https://evil.example"}, "GET"),
        ("{base}api/rows", {"Sec-Fetch-Site": "cross-site"}, "GET"),
        ("{base}api/rows", {"Sec-Fetch-Site": "same-site"}, "GET"),
        ("{base}api/marks", {"Origin": "null", **HERE}, "POST"),
        ("{base}api/marks", {"Content-Type": "text/plain"}, "POST"),
        ("{base}api/marks", {"Content-Type": "application/x-www-form-urlencoded"}, "POST"),
        ("{base}api/orders", {"Sec-Fetch-Site": "cross-site", **HERE}, "POST"),
    ],
)
async def test_nobody_else_is_let_in(looking, serving, path, headers, method):
    """Without the token, under another name, or from another site, nothing is read or changed."""
    found = looking(4)
    async with serving(found) as address, aiohttp.ClientSession() as session:
        parts = urlsplit(address)
        named = {name: value.format(port=parts.port) for name, value in headers.items()}
        url = f"http://{parts.netloc}{path.format(base=parts.path)}"
        body = json.dumps({"places": [0], "changes": {"mark": "bad"}})
        async with session.request(
            method, url, headers=named, data=body if method == "POST" else None
        ) as reply:
            assert reply.status == 403
            assert "VM-" not in await reply.text()
            assert "Access-Control-Allow-Origin" not in reply.headers
    assert not found.journal.query("SELECT * FROM marks")


async def test_headers_and_nonsense(looking, serving):
    """Every reply has its policy; what makes no sense is refused, and changes nothing."""
    found = looking(4)
    async with serving(found) as address, aiohttp.ClientSession() as session:
        for name in ("", "view.js", "view.css", "report.css", "api/rows"):
            async with session.get(address + name) as reply:
                assert reply.status == 200
                assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
                assert reply.headers["X-Content-Type-Options"] == "nosniff"
                assert reply.headers["Referrer-Policy"] == "no-referrer"
        page = await (await session.get(address)).text()
        assert "<script>" not in page
        assert "style=" not in page
        for body in NO_MARKS:
            async with session.post(f"{address}api/marks", data=body, headers=HERE) as reply:
                assert reply.status == 400
        for order in NO_ORDERS:
            async with session.post(f"{address}api/orders", json=order) as reply:
                assert reply.status == 400
        for query in ("from=x&count=1", "from=0&count=-1", "from=99999999999&count=1"):
            async with session.get(f"{address}api/rows?{query}") as reply:
                assert reply.status == 400
        async with session.get(f"{address}../etc/passwd") as reply:
            assert reply.status in {403, 404}
        for number in ("0", "9" * 30, "9" * 5000):
            async with session.get(f"{address}picture/{number}") as reply:
                assert reply.status == 404
    assert not found.journal.query("SELECT * FROM marks")


@pytest.mark.parametrize(
    "wanted",
    [
        {"state": "fialed"}, {"state": None}, {"state": ["failed"]}, {"staet": "failed"},
        {"said": "ugly"}, {"order": "random"}, {"reason": "' OR 1"}, {"reason": "-1"},
        {"q": "x" * 501}, {"q": 1},
    ],
)  # fmt: skip
async def test_a_filter_that_is_not_understood_means_no_rows(looking, serving, wanted):
    """A filter with an unknown name or value is refused wherever one is taken; nothing changes."""
    found = looking(4)
    async with serving(found) as address, aiohttp.ClientSession() as session:
        body = {"filter": wanted, "changes": {"mark": "bad"}}
        async with session.post(f"{address}api/marks", json=body) as reply:
            assert reply.status == 400
        both = {**body, "filter": {"state": "failed"}, "places": [0]}
        async with session.post(f"{address}api/marks", json=both) as reply:
            assert reply.status == 400
        typed = {name: str(value) for name, value in wanted.items() if value != 1}
        async with session.get(f"{address}api/rows", params=typed) as reply:
            assert reply.status == (400 if typed else 200)
        async with session.get(f"{address}api/rows?q=%22%27*") as reply:
            assert (await reply.json())["total"] == 0
    assert not found.journal.query("SELECT * FROM marks")


async def test_hostile_rows_are_data(looking, serving):
    """Captions, names and errors of markup come as JSON, whose reader shows them as they are."""
    rows = [
        {"fields": {"title": NASTY, "image": "https://a.example/1.jpg"}, "prompt": NASTY},
        {
            "fields": {"title": "\x1b[31mred", "image": "https://a.example/2.jpg"},
            "error": ("NotFoundError", NASTY),
        },
    ]
    found = looking(rows)
    async with (
        serving(found) as address,
        aiohttp.ClientSession() as session,
        session.get(f"{address}api/rows") as reply,
    ):
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        shown = (await reply.json())["rows"]
    assert [shown[0]["title"], shown[0]["prompt"]] == [NASTY[:300], NASTY]
    assert shown[1]["error"] == NASTY


async def test_the_list_of_failures(looking, serving):
    """The rows that failed come as a table, which no spreadsheet computes."""
    rows = list(some_rows(400))
    rows[0] = {"fields": rows[0]["fields"], "error": ("NotFoundError", "=1+1")}
    found = looking(rows)
    async with (
        serving(found) as address,
        aiohttp.ClientSession() as session,
        session.get(f"{address}api/failures") as reply,
    ):
        assert "attachment" in reply.headers["Content-Disposition"]
        lines = (await reply.text()).splitlines()
    assert len(lines) == 1 + found.selection.counts()["failed"]
    assert lines[1] == '2,"Canvas sneaker number 0, low and white",NotFoundError,\'=1+1'


async def test_events(looking, serving):
    """The page is told the state of all rows, reasons and money, each second."""
    found = looking()
    async with (
        serving(found) as address,
        aiohttp.ClientSession() as session,
        session.get(f"{address}api/events") as reply,
    ):
        assert reply.headers["Content-Type"] == "text/event-stream"
        line = await reply.content.readline()
    state = json.loads(line.removeprefix(b"data: "))
    assert state["counts"]["answered"] == 116
    assert state["whole"] is True
    assert sum(reason["count"] for reason in state["reasons"]) == 3
    assert len(state["reasons"]) <= 3
    assert state["run"] is None


def test_what_is_new_is_found(looking):
    """Answers, failures that are mended, marks and versions come into the index by themselves."""
    rows = list(some_rows(200))
    found = looking(rows)
    before = found.selection.counts()
    with JournalReader(found.path) as journal:
        late = next(row for row in journal.results() if row.state == "rejected")
    with sqlite3.connect(found.path) as connection:
        connection.execute(
            "UPDATE results SET state = 'answered', prompt = 'a walrus at last', error = NULL, "
            "error_class = NULL, finished_at = 5e9 WHERE question = ?",
            [late.question],
        )
    connection.close()
    found.look()
    after = found.selection.counts()
    assert (after["answered"], after["failed"]) == (before["answered"] + 1, before["failed"] - 1)
    assert [found.cards.cards([at])[0]["prompt"] for at in found.index.matching(["walrus"])] == [
        "a walrus at last"
    ]
    assert found.index.matching(["nothing"]).tolist() == []
    found.close()
    again = type(found)(found.path, "title")
    assert again.making.is_current()
    assert again.look().selection.counts() == after
    again.close()


async def test_each_check_is_a_filter(looking, serving):
    """Rows are found by each thing that looks wrong about them, until a check finds it no more."""
    found = looking(60)
    questions = [row.question for row in found.journal.results() if row.state == "answered"]
    marks = Marks(found.path)
    marks.check({questions[0]: "too short, language", questions[1]: "language"})
    found.look()
    async with serving(found) as address, aiohttp.ClientSession() as session:

        async def rows(query: str) -> list[int]:
            async with session.get(f"{address}api/rows?{query}") as reply:
                assert reply.status == 200
                return [row["place"] for row in (await reply.json())["rows"]]

        assert await rows("check=too+short") == [0]
        assert await rows("check=language") == await rows("said=flagged") == [0, 1]
        assert await rows("check=language&q=VM-000001") == [1]
        assert await rows("check=refusal") == []
        async with session.get(f"{address}api/rows?check=ugly") as reply:
            assert reply.status == 400
        marks.check({questions[0]: None, questions[1]: "language"})
        found.look()
        assert await rows("check=too+short") == []
        assert await rows("check=language") == [1]


def test_an_edited_catalog_is_read_anew(looking):
    """A catalog that was changed has its rows in the index where they stand now."""
    found = looking(60)
    catalog = Path(found.path).with_name("catalog.csv")
    lines = catalog.read_text().splitlines(keepends=True)
    catalog.write_text("".join([lines[0], *lines[31:], *lines[1:31]]))
    found.close()
    again = type(found)(found.path, "title").look()
    try:
        assert again.cards.cards([0])[0]["fields"]["sku"] == "VM-000030"
        assert again.index.matching(["30"]).tolist() == [0]
    finally:
        again.close()


async def test_pictures_of_a_folder(vimmerse_folder, serving):
    """A local picture comes from the server, whatever its name; what is no picture does not."""
    found = vimmerse_folder
    async with serving(found) as address, aiohttp.ClientSession() as session:
        async with session.get(f"{address}api/rows") as reply:
            rows = (await reply.json())["rows"]
        assert [row["title"] for row in rows] == ["<b>ö.png", "green.jpg"]
        async with session.get(address + rows[0]["picture"]) as reply:
            assert reply.headers["Content-Type"] == "image/png"
            assert await reply.read() == encoded(solid(RED))
        async with session.get(f"{address}picture/7") as reply:
            assert reply.status == 404


@pytest.fixture
def vimmerse_folder(tmp_path, monkeypatch):
    """A folder that was captioned."""
    from drawn import GREEN
    from looking_kit import Looking

    from vimmerse_async.cli.app import run
    from vimmerse_async.emulator import Emulator

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "<b>ö.png").write_bytes(encoded(solid(RED)))
    (tmp_path / "photos" / "green.jpg").write_bytes(encoded(solid(GREEN), "JPEG"))
    monkeypatch.chdir(tmp_path)
    with Emulator() as emulator:
        monkeypatch.setenv("VIMMERSE_BASE_URL", emulator.url)
        monkeypatch.setenv("VIMMERSE_API_KEY", emulator.key)
        assert run(["caption", "photos", "-o", "o.csv"]) == 0
    found = Looking(tmp_path / "o.csv.journal").look()
    yield found
    found.close()
