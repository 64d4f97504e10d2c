"""Group F: the key is in no text that anybody can see, whatever the server makes of it."""

import contextlib
import copy
import gc
import io
import json
import logging
import pickle

import attrs
import pytest
from fault_behaviours import ECHOES
from secret_scan import CORE, KEY, OTHER_SECRET, chain_of, check_error, shown_by

from vimmerse_async import (
    APIError,
    APIStatusError,
    ConfigurationError,
    InvalidRequestError,
    RetryPolicy,
    SessionError,
    Timeouts,
    VimmerseSession,
    image_2_prompt,
    refine_prompt,
    suggest_prompt,
    text_prompt,
    upload_image,
)
from vimmerse_async.config import build_config

ONCE = RetryPolicy(max_attempts=1)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
SIGNED = "https://a.example/1.png?X-Sig=private"


DEBUG = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"debug": on}) for on in (False, True)], ids=["", "debug"]
)
"""The loop's debug mode prints more of what it holds."""


def everything_of(*roots):
    """Yield every object of ours or aiohttp's that can be reached."""
    seen, waiting = set(), list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        home = type(each).__module__ or ""
        if home.startswith(("vimmerse_async", "aiohttp", "yarl", "multidict")):
            yield each
        if home.startswith(("vimmerse_async", "aiohttp")) or type(each) in {dict, list, tuple, set}:
            waiting += gc.get_referents(each)


@DEBUG
async def test_F1_nothing_shows_the_key(serve, connect):
    """No object behind a session shows the key in repr, str or format."""
    server = await serve()
    session = await connect(server, authorization=OTHER_SECRET)
    await refine_prompt(session, "x")
    shown = 0
    for each in everything_of(session, session.statistics(), session._runtime):
        for text in (repr(each), str(each) if type(each).__str__ is not str.__str__ else ""):
            assert CORE not in text, type(each)
        with contextlib.suppress(TypeError):
            assert CORE not in repr(vars(each)), type(each)
        shown += 1
    assert shown > 20


def texts_of(root):
    """Yield every text that can be reached through objects of ours, aiohttp's, and containers."""
    for each in everything_of(root):
        for value in gc.get_referents(each):
            yield from (text for text in flat(value) if isinstance(text, (str, bytes)))


def flat(value):
    yield value
    if isinstance(value, (dict, list, tuple, set)):
        for each in gc.get_referents(value):
            yield from flat(each)


async def test_F12_a_closed_session_lets_go_of_the_key(serve):
    """After its end nothing of a session leads to the key any more."""
    server = await serve()
    session = VimmerseSession(KEY, base_url=server.url, authorization=OTHER_SECRET)
    async with session:
        await refine_prompt(session, "x")
        assert any(CORE in str(text) for text in texts_of(session))
    assert not [text for text in texts_of(session) if CORE in str(text)]
    assert server.url in repr(session)
    assert session.statistics().succeeded == 1


def test_F1_configuration():
    """The configuration hides its secrets also as a dict."""
    config = build_config(KEY, None, OTHER_SECRET, None, None)
    for twin in (config, attrs.evolve(config, base_url="https://a.example")):
        assert CORE not in f"{twin} {twin!r} {attrs.asdict(twin)} {attrs.astuple(twin)}"
    assert config.headers["X-Api-Key"] == KEY


def test_F5_a_session_is_not_copied():
    """A session goes neither into a pickle nor into a copy, nor its configuration into a pickle."""
    session = VimmerseSession(KEY, authorization=OTHER_SECRET)
    for each in (session, session.with_options()):
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                way(each)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(session._runtime.config)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda headers: {**headers}])
def test_F5_copied_headers_hide_their_secrets(way):
    """What records requests may copy their headers: each secret stays the object that it was."""
    config = build_config(KEY, None, OTHER_SECRET, None, None)
    copied = way(config.headers)
    assert copied == config.headers
    assert CORE not in repr(copied)
    for name in ("X-Api-Key", "Authorization"):
        assert copied[name] is config.headers[name]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(copied, protocol)


def test_F5_json_takes_no_session():
    """A session is no JSON value."""
    with pytest.raises(TypeError):
        json.dumps(VimmerseSession(KEY))


async def failed(session):
    """Make a call that fails, and return its error, which shows no secret."""
    with pytest.raises(APIError) as raised:
        await refine_prompt(session, "x")
    check_error(raised.value)
    return raised.value


@pytest.mark.parametrize("form", ECHOES)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 422, 429, 500, 502])
async def test_F8_a_server_that_echoes_the_key(form, status, serve, connect):
    """However JSON spells the key, no error shows it."""
    server = await serve({"do": "echo_key", "form": form, "status": status})
    error = await failed(await connect(server, retry=ONCE))
    assert "***" in str(error) + error.body


GARBLED = [
    "{key}",
    "{key}\r\n\r\n",
    "HTTP/1.1 {key}\r\n\r\n",
    "HTTP/1.1 200 {key}\0\r\n\r\n",
    "HTTP/1.1 200 OK\r\n{key}\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: {key}\0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: {key}\r\nContent-Length: 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n\r\n",
    'HTTP/1.1 200 OK\r\nContent-Encoding: {key}\r\nContent-Length: 3\r\n\r\n"a"',
]


@pytest.mark.parametrize("text", GARBLED)
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "apart"])
async def test_F8_an_echo_that_is_not_http(text, apart, serve, connect):
    """A parser quotes what it cannot read; no error of ours does."""
    text = text.replace("{key}", KEY)
    texts = text.split("\r\n\r\n", 1) if apart else [text]
    texts = [texts[0] + "\r\n\r\n" * (len(texts) > 1), *texts[1:]]
    server = await serve({"do": "pieces", "texts": texts, "every": 0.01, "close": True})
    await failed(await connect(server, retry=ONCE))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("status", [200, 400])
async def test_F8_a_packed_echo(encoding, status, serve, connect):
    """A body is masked after it was unpacked."""
    server = await serve({"do": "echo_key", "encoding": encoding, "status": status})
    await failed(await connect(server, retry=ONCE))


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
@pytest.mark.parametrize("status", [200, 400])
async def test_F8_an_echo_in_another_charset(charset, status, serve, connect):
    """A body is masked in every encoding that JSON may have."""
    server = await serve({"do": "echo_key", "charset": charset, "status": status})
    error = await failed(await connect(server, retry=ONCE))
    spaced = " ".join(CORE)
    assert all(spaced not in text for _, text in shown_by(error))


@pytest.mark.parametrize("form", ECHOES)
async def test_F8_a_prompt_that_holds_the_key(form, serve, connect):
    """A successful answer is masked, too: it may end in a journal."""
    spelled = ECHOES[form](json.dumps(KEY)[1:-1] if form in {"plain", "slashes"} else KEY)
    server = await serve({"do": "answer", "body": f'"your {spelled}!"'})
    assert await refine_prompt(await connect(server), "x") == "your ***!"


async def test_F8_an_asset_that_holds_the_key(serve, connect):
    """Unknown fields of an asset are masked as well."""
    value = {"id": "a", "results": ["https://a.example/1"], "args": {"X-Api-Key": KEY}}
    server = await serve({"do": "say", "value": value})
    asset = await upload_image(await connect(server), PNG)
    assert asset.extra == {"args": {"X-Api-Key": "***"}}


WRONG = {
    "limit": {"limit": 0},
    "limit's type": {"limit": "many"},
    "base_url": {"base_url": "http://a.example"},
    "timeouts": {"timeouts": 5},
    "retry": {"retry": 5},
    "ssl": {"ssl": False},
    "proxy": {"proxy": "nonsense"},
    "username": {"username": "a\r\nb"},
    "client_type": {"client_type": ""},
    "authorization": {"authorization": OTHER_SECRET + "\n"},
    "a password in base_url": {"base_url": "https://me:S3NT1NEL5e8a77@a.example"},
    "a password in proxy": {"proxy": "ftp://me:S3NT1NEL5e8a77@a.example"},
    "a password in proxy, no port": {"proxy": "http://me:S3NT1NEL5e8a77@:x"},
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_F4_a_constructor_that_fails(options):
    """No frame of ours keeps the key where a crash report could find it."""
    with pytest.raises(ConfigurationError) as raised:
        VimmerseSession(KEY, **options)
    check_error(raised.value)


WRONG_KEYS = [KEY + "\n", " " + KEY, KEY + "é", f'"{KEY}"', f"Bearer {KEY}", KEY * 99]


@pytest.mark.parametrize("key", [*WRONG_KEYS, KEY.encode(), [KEY]])
def test_C20_a_wrong_key(key):
    """A key that cannot work is described, not shown."""
    with pytest.raises(ConfigurationError) as raised:
        VimmerseSession(key)
    check_error(raised.value)
    assert raised.value.field == "api_key"


@pytest.mark.parametrize("key", WRONG_KEYS)
def test_C20_a_wrong_key_in_the_environment(key, monkeypatch):
    """It is not shown when it comes from the environment, either."""
    monkeypatch.setenv("VIMMERSE_API_KEY", key)
    with pytest.raises(ConfigurationError) as raised:
        VimmerseSession()
    check_error(raised.value)


@DEBUG
@pytest.mark.parametrize(
    "how",
    [
        "reset_after_request", "short_body", "hang",
        {"do": "raw", "text": "nonsense\r\n\r\n"},
        {"do": "answer", "status": 500},
        {"do": "answer", "body": "null"},
        {"do": "redirect", "location": "http://a.example"},
    ],
    ids=str,
)  # fmt: skip
async def test_F3_F4_a_failed_call(how, serve, connect):
    """An error, what it came from, and the locals of its frames are free of keys and aiohttp."""
    server = await serve(how)
    session = await connect(
        server,
        authorization=OTHER_SECRET,
        retry=ONCE,
        timeouts=Timeouts(attempt=0.1),
    )
    with pytest.raises(APIError) as raised:
        await refine_prompt(session, "x")
    check_error(raised.value)
    assert len(list(shown_by(raised.value))) > 10
    assert not any(isinstance(each, OSError) for each in list(chain_of(raised.value))[1:])


@DEBUG
async def test_F2_logs(serve, connect, caplog):
    """At DEBUG, with %r of everything at hand, no log line holds the key, prompt or address."""
    server = await serve("reset_after_request", {"do": "answer", "status": 422})
    session = await connect(server, authorization=OTHER_SECRET)
    with caplog.at_level(logging.DEBUG), pytest.raises(APIStatusError) as raised:
        await text_prompt(session, prompt="private prompt", image_url=SIGNED)
    logging.getLogger("app").error("%r %s %r", session, raised.value, session.statistics())
    for private in (CORE, "private", "a.example"):
        assert private not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/1.png?X-Sig=S3NT1NEL5e8a77",
        "https://me:S3NT1NEL5e8a77@a.example/",
        "https://me:S3NT1NEL5e8a77@a.example:x/",
        "https://me:p/S3NT1NEL5e8a77@a.example/",
        "https://me:S3NT1NEL5e8a77/x@a.example/",
        "https://me:S3NT1NEL5e8a77?x@a.example/",
        "https://a.example/\n?S3NT1NEL5e8a77",
        "https://a.example/ #S3NT1NEL5e8a77",
        "\\\\me:S3NT1NEL5e8a77@host",
        "ftp:me:S3NT1NEL5e8a77@host",
    ],
)
async def test_F14_a_url_that_is_refused(url, connect):
    """What is secret in an address - user info, query, fragment - is not in the error."""
    session = await connect("http://127.0.0.1:9")
    with pytest.raises(InvalidRequestError) as raised:
        await image_2_prompt(session, url)
    for text in (str(raised.value), repr(raised.value), repr(vars(raised.value))):
        assert CORE not in text


async def test_F14_a_path_of_one_s_own(serve, connect):
    """The query of a custom path is not in the error."""
    server = await serve({"do": "answer", "body": "nonsense"}, {"do": "redirect"})
    session = await connect(server)
    for _ in range(2):
        with pytest.raises(APIError) as raised:
            await session.request("POST", "/other?token=private")
        assert "private" not in str(raised.value) + repr(vars(raised.value))


async def test_a_session_error_shows_nothing():
    """Using a session outside of its life shows no key either."""
    session = VimmerseSession(KEY, authorization=OTHER_SECRET)
    with pytest.raises(SessionError) as raised:
        await suggest_prompt(session)
    check_error(raised.value)


def test_the_scanner_finds_what_is_there():
    """The scan is no formality: a planted key is found in each place."""
    plants = {
        "message": lambda: SessionError(f"bad {KEY}"),
        "attribute": lambda: attributed(SessionError("bad"), KEY),
        "note": lambda: noted(SessionError("bad"), KEY),
        "cause": lambda: caused(SessionError("bad"), ValueError(KEY)),
    }
    for plant in plants.values():
        with pytest.raises(AssertionError, match="S3NT1NEL"):
            check_error(plant())
    with pytest.raises(ValueError) as raised:
        json.load(io.StringIO(KEY + "{"))
    assert any(CORE in text for _, text in shown_by(raised.value))


def attributed(error, value):
    error.extra = value
    return error


def noted(error, note):
    error.add_note(note)
    return error


def caused(error, cause):
    error.__cause__ = cause
    return error
