"""Which proxy the environment names, as curl and Go read it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from vimmerse_async.config import choose_proxy
from vimmerse_async.errors import ConfigurationError
from vimmerse_async.proxies import is_direct, proxy_of

API = "https://api.example.com"
A, B = "http://a.example:1", "http://b.example:2"


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        (API, {}, None),
        (API, {"HTTPS_PROXY": A}, A),
        (API, {"https_proxy": A, "HTTPS_PROXY": B}, A),
        (API, {"https_proxy": "", "HTTPS_PROXY": B}, None),
        (API, {"HTTP_PROXY": A}, None),
        (API, {"ALL_PROXY": A}, A),
        (API, {"all_proxy": A, "HTTPS_PROXY": B}, B),
        (API, {"ALL_PROXY": A, "NO_PROXY": "example.com"}, None),
        (API, {"HTTPS_PROXY": A, "no_proxy": "", "NO_PROXY": "*"}, A),
        ("http://127.0.0.1:8", {"http_proxy": A}, A),
        ("http://127.0.0.1:8", {"HTTP_PROXY": A}, A),
        ("http://127.0.0.1:8", {"HTTP_PROXY": A, "REQUEST_METHOD": "GET"}, None),
        ("http://127.0.0.1:8", {"HTTPS_PROXY": A}, None),
    ],
)
def test_C25_variables(url, variables, proxy):
    """The scheme's variable goes before that for all, lower case first, and empty is none."""
    assert proxy_of(url, variables) == proxy


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        (API, "", False),
        (API, "*", True),
        (API, "other.example, *", True),
        (API, "example.com", True),
        (API, ".example.com", True),
        (API, "*.example.com", True),
        (API, "EXAMPLE.COM.", True),
        (API, "api.example.com", True),
        (API, "ple.com", False),
        (API, "x.api.example.com", False),
        (API, "a.b c.d,api.example.com", True),
        (API, "api.example.com:443", True),
        (API, "api.example.com:8443", False),
        (f"{API}:8443", "example.com:8443", True),
        (API, ":443", False),
        (API, "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.9/24", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://10.1.2.3:8443", "10.1.2.3:443", False),
        ("https://10.1.2.3", "2.3", False),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://[fd00::1]", "fd00::/8", True),
        ("https://[fd00::1]", "fd00::1", True),
        ("https://[fd00::1]", "fd00:0::1", True),
        ("https://[fd00::1]", "[fd00::1]", True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]:8443", "[fd00::1]:443", False),
    ],
)
def test_C25_no_proxy(url, no_proxy, direct):
    """Names with all below them, addresses and networks, each with a port or without."""
    assert is_direct(URL(url), no_proxy) is direct


@given(st.text() | st.lists(st.sampled_from("a.:/[]*,0 1%-")).map("".join))
@example("[")
@example("::1%")
@example("*.")
def test_C25_any_no_proxy(no_proxy):
    """A list that makes no sense excludes nothing, or something, and never fails."""
    for url in (API, "https://10.1.2.3", "https://[fd00::1]:8443"):
        assert is_direct(URL(url), no_proxy) in {True, False}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("proxy.example:3128", "has no scheme; write http://"),
        ("user:s3cret@proxy.example", "has no scheme; write http://"),
        ("socks5://127.0.0.1:1080", "SOCKS"),
        ("socks5h://user:s3cret@127.0.0.1", "SOCKS"),
        ("ftp://proxy.example", "HTTP proxy"),
        ("http://", "HTTP proxy"),
        ("http://[::1", "HTTP proxy"),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "all_proxy"])
def test_C25_a_variable_that_cannot_work(name, value, words):
    """It is refused by its name with its mend, its value is not shown; a direct host needs none."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        proxy_of(API, {name: value})
    assert raised.value.field == name
    assert name in raised.value.message
    assert "s3cret" not in str(raised.value)
    assert proxy_of(API, {name: value, "NO_PROXY": "example.com"}) is None


def test_C25_netrc_has_the_proxys_password(monkeypatch, tmp_path):
    """What `.netrc` has for the proxy goes to it; an address's own password goes first."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine a.example login me password p@ss\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for named, proxy in {
        A: "http://me:p%40ss@a.example:1",
        B: B,
        "http://you:x@a.example:1": "http://you:x@a.example:1",
    }.items():
        monkeypatch.setenv("HTTPS_PROXY", named)
        assert choose_proxy(None, API, trust_env=True) == proxy
        assert choose_proxy(None, API, trust_env=False) is None
        assert choose_proxy("http://c.example", API, trust_env=True) == "http://c.example"
    netrc.write_text("machine nonsense\0")
    monkeypatch.setenv("HTTPS_PROXY", A)
    assert choose_proxy(None, API, trust_env=True) == A
