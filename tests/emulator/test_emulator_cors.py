"""Which web pages may ask from a browser, and how everybody learns that this is the emulator."""

import aiohttp
import pytest

from vimmerse_async._version import __version__
from vimmerse_async.emulator import Emulator

PAGE = "http://localhost:5173"
OTHER = "https://evil.example"
KEYED = "content-type,x-api-key"
ROUTES = [
    ("POST", "/v2/text/refine-prompt"),
    ("POST", "/v2/image"),
    ("POST", "/text/prompt"),
    ("GET", "/asset/{id}"),
    ("GET", "/health"),
    ("GET", "/media/{id}.png"),
    ("GET", "/openapi.json"),
]


def asks(origin: str, method: str, headers: str = "", **more: str) -> dict[str, str]:
    """Return the headers with which a browser asks whether a page may."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method, **more}
    return {**asked, "Access-Control-Request-Headers": headers} if headers else asked


def listed(headers, name: str) -> set[str]:
    return {each.strip().lower() for each in headers.get(name, "").split(",")} - {""}


def lets_read(headers, origin: str) -> bool:
    """Whether a browser gives the reply to the page (Fetch, CORS check, without credentials)."""
    return headers.get("Access-Control-Allow-Origin") in {"*", origin}


def lets_ask(answer, origin: str, method: str, names: str) -> bool:
    """Whether a browser sends the request after this answer (Fetch, CORS-preflight fetch)."""
    allowed = listed(answer.headers, "Access-Control-Allow-Headers")
    return (
        200 <= answer.status < 300
        and lets_read(answer.headers, origin)
        and method.lower() in listed(answer.headers, "Access-Control-Allow-Methods")
        and set(names.split(",")) <= allowed
    )


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_page_that_was_named_may_ask(call, method, path):
    """A browser's question is answered for every open route, without key, bill or log."""
    caller = await call(cors=[PAGE], key="test-key", credits=0)
    asked = asks(PAGE, method, KEYED)
    answer = await caller.ask("OPTIONS", path, headers=asked)
    assert lets_ask(answer, PAGE, method, KEYED)
    assert (answer.status, answer.value, "Content-Type" in answer.headers) == (204, b"", False)
    assert listed(answer.headers, "Vary") >= {"origin"}
    assert not caller.emulator.requests


async def test_a_page_learns_that_there_is_no_route(call):
    """A path that was misspelt is a 404 to the page, and no question of CORS."""
    caller = await call(cors=[PAGE])
    asked = asks(PAGE, "POST", KEYED)
    answer = await caller.ask("OPTIONS", "/v2/nowhere", headers=asked)
    assert lets_ask(answer, PAGE, "POST", KEYED)
    answer = await caller.ask("POST", "/v2/nowhere", headers={"Origin": PAGE})
    assert (answer.status, lets_read(answer.headers, PAGE)) == (404, True)
    assert (await caller.ask("OPTIONS", "/_emulator", headers=asked)).status >= 400


@pytest.mark.parametrize("origin", [OTHER, "null", PAGE + ".evil.example", "http://localhost"])
async def test_no_other_page_may(call, origin):
    """An origin that was not named is refused, and gets no reply to read."""
    caller = await call(cors=[PAGE])
    asked = asks(origin, "POST", KEYED)
    answer = await caller.ask("OPTIONS", "/v2/text/refine-prompt", headers=asked)
    assert not lets_ask(answer, origin, "POST", KEYED)
    assert (answer.status, "--cors" in answer.value["message"]) == (403, True)
    answer = await caller.ask("GET", "/health", headers={"Origin": origin})
    assert not lets_read(answer.headers, origin)
    assert listed(answer.headers, "Vary") >= {"origin"}


@pytest.mark.parametrize(
    ("cors", "allowed"), [([PAGE], PAGE), (PAGE, PAGE), (["*"], "*"), ([OTHER, PAGE], PAGE)]
)
async def test_the_page_reads_answers_and_refusals(call, cors, allowed):
    """Whatever the answer, the page can read it, and a 429's wait too."""
    caller = await call(cors=cors, limits={"per_minute": 2, "retry_after": "seconds"})
    headers = {"Origin": PAGE, "X-Api-Key": caller.emulator.key}
    for status in (200, 200, 429):
        answer = await caller.post("/v2/text/suggest-prompt", headers=headers)
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == allowed
    assert listed(answer.headers, "Access-Control-Expose-Headers") & {"*", "retry-after"}
    assert "Retry-After" in answer.headers
    for path, status in [("/nowhere", 404), ("/v2/text/refine-prompt", 401)]:
        answer = await caller.ask("POST", path, headers={"Origin": PAGE})
        assert (answer.status, lets_read(answer.headers, PAGE)) == (status, True)


async def test_the_page_reads_what_a_fault_sends(call):
    """Bytes that a fault writes itself are marked like any others."""
    caller = await call(cors=[PAGE], faults=[{"kind": "dribble", "seconds": 0}])
    headers = {"Origin": PAGE, "X-Api-Key": caller.emulator.key}
    answer = await caller.post("/v2/text/suggest-prompt", headers=headers)
    assert (answer.status, lets_read(answer.headers, PAGE)) == (200, True)


async def test_a_public_page_may_reach_a_private_address(call):
    """What Chromium asks of servers on the machine itself is answered when it is asked."""
    caller = await call(cors=["https://app.example"])
    name = "Access-Control-Request-Private-Network"
    asked = asks("https://app.example", "POST", **{name: "true"})
    answer = await caller.ask("OPTIONS", "/v2/text/suggest-prompt", headers=asked)
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    del asked[name]
    answer = await caller.ask("OPTIONS", "/v2/text/suggest-prompt", headers=asked)
    assert "Access-Control-Allow-Private-Network" not in answer.headers


@pytest.mark.parametrize("cors", [[PAGE], ["*"]])
async def test_what_others_asked_is_no_pages_business(call, cors):
    """The emulator's own pages are shared with nobody."""
    caller = await call(cors=cors)
    for path in ("/_emulator", "/_emulator/requests", "/_emulator/openapi.json"):
        answer = await caller.ask("GET", path, headers={"Origin": PAGE})
        assert (answer.status, lets_read(answer.headers, PAGE)) == (200, False)
        answer = await caller.ask("OPTIONS", path, headers=asks(PAGE, "GET"))
        assert not lets_ask(answer, PAGE, "GET", "x-api-key")


async def test_without_the_option_there_is_no_protocol(call):
    """No page may ask, OPTIONS is a method like any other, and no header speaks of it."""
    caller = await call()
    answer = await caller.ask("OPTIONS", "/health", headers=asks(PAGE, "GET"))
    assert answer.status == 405
    answer = await caller.ask("GET", "/health", headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert "Vary" not in answer.headers


@pytest.mark.parametrize(
    "cors", ["http://localhost:5173/", "localhost:5173", "http://a.example/app", "", "null", "a b"]
)
def test_what_is_no_origin_is_refused_with_one(cors):
    """A path or a missing scheme would never match: it is told before anything runs."""
    with pytest.raises(ValueError, match=r"as in http://localhost:5173, or \*"):
        Emulator(cors=[cors])


async def test_every_reply_says_that_it_is_the_emulator(call, picture):
    """Answers, refusals, files, its own pages and what faults send name the server alike."""
    caller = await call(
        faults=[{"kind": "html", "nth": 2}, {"kind": "dribble", "nth": 4, "seconds": 0}]
    )
    asset = await caller.upload("/v2/image", "image_file", picture((200, 10, 10)))
    name = asset.value["results"][0].rpartition("/")[2]
    answers = [
        asset,
        await caller.post("/v2/text/suggest-prompt"),
        await caller.ask("GET", f"/media/{name}"),
        await caller.ask("GET", "/health"),
        await caller.ask("GET", "/_emulator"),
        await caller.ask("GET", "/nowhere"),
        await caller.ask("PUT", "/v2/image"),
        await caller.ask("POST", "/v2/image", headers={}),
        await caller.post("/v2/text/suggest-prompt"),
        await caller.post("/v2/text/suggest-prompt"),
    ]
    assert {answer.headers["Server"] for answer in answers} == {"vimmerse-emulator"}
    assert [answer.status for answer in answers[2:7]] == [200, 200, 200, 404, 405]


async def test_it_says_so_before_anything_is_asked(call):
    """One free request, without a key, tells the emulator from the paid API; none is logged."""
    caller = await call(key="test-key", credits=0, limits={"per_minute": 1})
    for _ in range(3):
        answer = await caller.ask("GET", "/_emulator", headers={})
        assert answer.value == {"server": "vimmerse-emulator", "version": __version__}
    assert not caller.emulator.requests
    async with aiohttp.ClientSession() as elsewhere:
        host = {"Host": "emulator.example"}
        async with elsewhere.get(f"{caller.emulator.url}/_emulator", headers=host) as reply:
            assert reply.status == 403
