"""Key, address and headers: checked where they are given, sent as they are."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from vimmerse_async.config import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    KEY_VARIABLE,
    Secret,
    build_config,
    choose_proxy,
)
from vimmerse_async.errors import ConfigurationError

KEY = "test-only-key"
ANYTHING = st.one_of(
    st.text(),
    st.binary(),
    st.none(),
    st.integers(),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=2000),
    st.text(st.characters(categories=["Cs", "Cc", "Zs", "Nd"])),
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(BASE_URL_VARIABLE, raising=False)


def config_of(key=KEY, base_url=None, authorization=None, username=None, client_type=None):
    return build_config(key, base_url, authorization, username, client_type)


def refused(field, **options):
    with pytest.raises(ConfigurationError) as raised:
        config_of(**options)
    assert raised.value.field == field
    assert len(str(raised.value)) < 500
    return str(raised.value)


@given(ANYTHING)
def test_C20_any_key(key):
    """A key is sent byte by byte, or refused without being shown."""
    try:
        config = build_config(key, DEFAULT_BASE_URL, None, None, None)
    except ConfigurationError as error:
        message = str(error)
    else:
        assert config.headers["X-Api-Key"] == key
        assert key.encode("ascii").decode() == key
        assert 0 < len(key) <= 1024
        assert not re.search(r"\s", key)
        return
    assert not (isinstance(key, str) and len(key) > 9 and key in message)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "no API key"), (" ", "white space"), ("ab\n", "white space"), ("a b", "visible"),
        ("a\r\nb", "visible"), ("a\0b", "visible"), ("clé", "visible"), ("\ud800", "visible"),
        ("\u200bkey", "visible"), ("key\x7f", "visible"), ("a" * 1025, "1,024"), (b"key", "bytes"),
        (7, "int"), ('"key"', "quotes"), ("'key'", "quotes"), ("Bearer key", "Bearer"),
        ("bearer key", "Bearer"),
    ],
)  # fmt: skip
def test_C20_keys_that_cannot_be_sent(key, words):
    """The error names the fault and the length, not the key."""
    assert words in refused("api_key", key=key)


def test_C20_no_key():
    """Without a key the error says where one can be given."""
    message = refused("api_key", key=None)
    assert "api_key=" in message
    assert KEY_VARIABLE in message


def test_the_environment_gives_what_was_not_passed(monkeypatch):
    """Arguments go before variables; an empty variable is none, an empty argument a fault."""
    monkeypatch.setenv(KEY_VARIABLE, "from-the-environment")
    monkeypatch.setenv(BASE_URL_VARIABLE, "http://localhost:8080")
    config = config_of(key=None)
    assert (config.headers["X-Api-Key"], config.origin) == (
        "from-the-environment",
        "http://localhost:8080",
    )
    assert config_of(base_url="https://b.example").origin == "https://b.example"
    assert config_of().headers["X-Api-Key"] == KEY
    refused("api_key", key="")
    refused("base_url", base_url="")
    monkeypatch.setenv(BASE_URL_VARIABLE, "")
    monkeypatch.setenv(KEY_VARIABLE, "")
    assert config_of().origin == DEFAULT_BASE_URL
    refused("api_key", key=None)


HEADERS = {"authorization": "Authorization", "username": "Username", "client_type": "X-Client-Type"}


@given(st.sampled_from([*HEADERS]), ANYTHING)
def test_C21_any_header(name, value):
    """A header is sent byte by byte, or refused; None sends none."""
    try:
        config = build_config(KEY, DEFAULT_BASE_URL, **dict.fromkeys(HEADERS) | {name: value})
    except ConfigurationError as error:
        field = error.field
    else:
        assert config.headers.get(HEADERS[name]) == value
        assert value is None or not re.search(r"[^ -~]", value)
        return
    assert field == name


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    "value",
    ["", " ", " a", "a ", "a\r\nX: 1", "a\nb", "a\0", "é", "\ud800", "a\tb", "x" * 4097, b"a", 7],
)
def test_C21_headers_that_cannot_be_sent(name, value):
    """Line breaks, controls and letters beyond ASCII are refused."""
    refused(name, **{name: value})


BASE_URLS = {
    "https://api.vimmerse.net": "https://api.vimmerse.net",
    "HTTPS://API.Vimmerse.NET": "https://api.vimmerse.net",
    "https://a.example:8443": "https://a.example:8443",
    "https://a.example:443": "https://a.example",
    "https://[2001:db8::1]:8443": "https://[2001:db8::1]:8443",
    "https://10.0.0.1": "https://10.0.0.1",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080",
    "http://127.9.9.9": "http://127.9.9.9",
    "http://[::1]:80": "http://[::1]",
    "http://localhost": "http://localhost",
    "http://LOCALHOST:1": "http://localhost:1",
    "https://a.example/": "https://a.example",
    "https://api.vimmerse.net/": "https://api.vimmerse.net",
    "https://gateway.example/vimmerse": "https://gateway.example/vimmerse",
    "https://Gateway.example:443/Vimmerse/": "https://gateway.example/Vimmerse",
    "https://gateway.example/a/b.c/v2": "https://gateway.example/a/b.c/v2",
    "https://gateway.example/a%2Fb/~x/..c": "https://gateway.example/a%2Fb/~x/..c",
    "http://127.0.0.1:8080/stage@2": "http://127.0.0.1:8080/stage@2",
}


@pytest.mark.parametrize(("base_url", "kept"), BASE_URLS.items())
def test_C22_addresses(base_url, kept):
    """HTTPS anywhere, plain HTTP on this machine, with a path or a slash at the end or without."""
    config = config_of(base_url=base_url)
    assert config.base_url == kept
    assert config.origin == re.match(r"https?://[^/]+", kept)[0]


@pytest.mark.parametrize(
    "base_url",
    [
        "http://a.example", "http://10.0.0.1", "http://0.0.0.0", "http://127.0.0.1.a.example",
        "http://localhost.a.example", "http://2130706433", "http://0x7f000001", "http://[::ffff:127.0.0.1",
        "https://u:p@a.example", "https://u@a.example", "https://@a.example", "https://a.example//",
        "https://a.example//v", "https://a.example/v//w", "https://a.example/v//", "https://a.example/.",
        "https://a.example/..", "https://a.example/v/../w", "https://a.example/v/%2e%2E/w",
        "https://a.example/v/.%2e", "https://a.example/v?x", "https://a.example/v#x",
        "https://a.example/v\\w", "https://a.example/%", "https://a.example/%zz", "https://a.example/v{w}",
        "https://api.vimmerse.net/v2", "https://API.vimmerse.net/x/", "https://u:p@a.example/v",
        "http://a.example/vimmerse", "https://[::1]@", "https://[::1]@/v", "https://[::1]@%@",
        "https://a.example?x", "https://a.example#x", "https://a.example?",
        "https://a.example#", "https://a.example\\@b.example", "ftp://a.example", "a.example",
        "//a.example", "https:a.example", "https:/a.example", "https://", "https://:443",
        "https://a.example:0", "https://a.example:99999", "https://a.example:x", "https://[::1",
        "https://a b.example", " https://a.example", "https://a.example\n", "https://ä.example",
        "https://a.example:", "https://a.example:8443:1", "https://x..example", "https://-a.example",
        b"https://a.example", 7, ["https://a.example"],
    ],
)  # fmt: skip
def test_C22_what_is_no_address(base_url):
    """Whatever would lead elsewhere, hide a password or travel in the clear is refused."""
    message = refused("base_url", base_url=base_url)
    assert "u:p" not in message


PIECES = st.sampled_from(
    ["https://", "http://", "a", ".example", "@", ":", "/", "?", "#", "\\", "[::1]", "127.0.0.1",
     "localhost", "443", "0", "%", "é", " ", "..", "-", "https://[::1]@", "/vimmerse", "%2e"]
)  # fmt: skip


@given(st.text() | st.lists(PIECES).map("".join))
@example("https://[::1]@")
@settings(max_examples=300)
def test_C22_any_address(base_url):
    """An accepted address has a scheme, a host and a plain path; plain HTTP stays here."""
    try:
        config = build_config(KEY, base_url, None, None, None)
    except ConfigurationError:
        return
    origin, path = config.origin, config.base_url.removeprefix(config.origin)
    assert re.fullmatch(r"https?://(\[[0-9a-f:.]+\]|[^/?#@:\\\s]+)(:[0-9]+)?", origin)
    assert re.fullmatch(r"(/(?!\.{1,2}(/|\Z))[^/?#\\\s]+)*", path)
    assert str(URL(config.base_url + "/v2/text")) == config.base_url + "/v2/text"
    if origin.startswith("http://"):
        assert re.match(r"http://(127\.|localhost|\[::1\])", origin)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://127.0.0.1:3128",
        "https://proxy.example",
        "http://user:password@proxy.example:8080",
        None,
    ],
)
def test_A33_proxies(proxy):
    """An HTTP proxy is an address with or without a password."""
    assert choose_proxy(proxy, "https://a.example", trust_env=False) == proxy


@given(st.text() | st.lists(PIECES).map("".join))
@example("http://[::1]@")
@example("http://[::1]@%@")
@example("http://..")
@settings(max_examples=300)
def test_any_proxy(proxy):
    """Whatever a proxy's address is, it can be used, or is refused by name and not shown."""
    error: ConfigurationError | None = None
    try:
        choose_proxy(proxy, "https://a.example", trust_env=False)
    except ConfigurationError as raised:
        error = raised
    if error is None:
        assert URL(proxy).host
    else:
        assert error.field == "proxy"
        assert len(proxy) < 5 or proxy not in str(error).partition("like")[0]


def test_a_secret_shows_nothing():
    """It goes out as it is, and is seen nowhere else."""
    secret = Secret("abc")
    assert (repr(secret), f"{secret!r}", [secret].__repr__()) == ("'***'", "'***'", "['***']")
    assert secret == "abc"
    assert secret.encode() == b"abc"
    assert not hasattr(secret, "__dict__")
