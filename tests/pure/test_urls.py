"""Which URLs may be sent (group C): refused by name, or accepted and sent as they are."""

import json
import re
import string

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vimmerse_async.errors import InvalidURLError
from vimmerse_async.urls import MAX_LENGTH, _objection, check_url, is_plain, shown
from vimmerse_async.wire import image_call

PLAIN = is_plain.__self__.pattern
PIECES = st.sampled_from(
    ["https://", "HTTPS://", "http://", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "::1", ".",
     "..", "a", "a.example", "xn--", "xn--zz", "%", "%00", "%2f", "0", "65536", "443", "\r", "\n",
     "\t", " ", "\0", "\x7f", "\u202e", "\u200b", "。", "．", "ü", "ß", "İ", "\ud800", "\udfff",
     "🙂", "user:pass", "-", "_", "127.0.0.1", "0x7f.1", "1e9"]
)  # fmt: skip
URLS = st.one_of(
    st.text(),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join).map("https://{}".format),
    st.builds("https://{}/{}".format, st.from_regex(r"[a-z0-9.-]{0,80}"), st.text(max_size=9)),
)  # fmt: skip


@given(URLS)
@example("https://[::1")
@example("https://[]")
@example("https://[v1.a]/")
@example("https://" + "a." * 200 + "example")
@example("https://a.example:99999999999999999999")
@example("https://\u0130.example")
@example("\U0001d54f" * 200)
def test_C5_a_url_is_accepted_or_refused(url):
    """There is no third way: no other error, whatever the text."""
    error = objection_to(url)
    if error is None:
        assert url[:8].lower() == "https://"
        assert len(url) <= MAX_LENGTH
        assert not re.search(r"[\x00-\x20\x7f\\]", url)
    else:
        assert error.field == "image_url"
        assert len(str(error)) < 400
        assert str(error).isprintable()


def objection_to(url):
    try:
        check_url("image_url", url)
    except InvalidURLError as error:
        return error
    return None


@given(URLS)
def test_C6_what_is_accepted_is_sent_as_it_is(url):
    """The exact characters are in the JSON body."""
    try:
        body = image_call(url).body
    except InvalidURLError:
        return
    assert json.loads(body) == {"image_url": url}
    assert json.dumps(url, ensure_ascii=False).encode() in body


@given(st.from_regex(PLAIN, fullmatch=True))
def test_the_short_way_accepts_less_than_the_careful_one(url):
    """What the regular expression lets through, the parser would have, too."""
    assert _objection(url) is None


@given(
    st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20),
    st.text(string.ascii_letters + string.digits + "/%?&=+-._~!$'()*,;:@#[]", max_size=40),
)
def test_common_urls_take_the_short_way(host, rest):
    """Ordinary addresses need no parser."""
    url = f"https://{host}.example/{rest}"
    assert is_plain(url)
    check_url("image_url", url)


@pytest.mark.parametrize(
    "url",
    ["http://a.example/1.png", "HTTP://a.example", "http:/a.example", "httpss://a.example"],
)
def test_C1_https_only(url):
    """A URL that is not HTTPS is refused, and the error says so."""
    with pytest.raises(InvalidURLError, match="https"):
        check_url("image_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/1", "file:///etc/passwd", "data:image/png;base64,AAAA",
        "javascript:alert(1)", "blob:https://a.example/1", "1.png", "/1.png", "//a.example/1.png",
        "", "https://", "https:///a", "https:/a.example", "https:a.example", "https://?a", "https://#",
        "https://:443/", "https://.", "https://..",
    ],
)  # fmt: skip
def test_C2_no_address_at_all(url):
    """What names no host by HTTPS is refused."""
    with pytest.raises(InvalidURLError):
        check_url("video_url", url)


@pytest.mark.parametrize(
    "url",
    [
        "https://u:p@h.example/", "https://u@h.example/", "https://@h.example/", "https://:@h.example/",
        "https://u:p@h.example@i.example/", "HTTPS://u:p@h.example", "https://u%40:p@h.example/",
    ],
)  # fmt: skip
def test_C3_no_user_information(url):
    """A name or password in a URL is refused, and not shown."""
    with pytest.raises(InvalidURLError, match="user name") as raised:
        check_url("image_url", url)
    assert "u:p" not in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://münchen.example/", "https://xn--mnchen-3ya.example/", "https://ＦＵＬＬ.example/",
        "https://a。example/", "https://аpple.example/", "https://例え.テスト/", "https://a.example./",
        "https://A.Example/", "https://a_b.example/", "https://1.example/",
    ],
)  # fmt: skip
def test_C4_international_hosts(url):
    """Hosts in any script are accepted."""
    check_url("image_url", url)


@pytest.mark.parametrize(
    "character",
    "\r\n\t\0\x01\x1f \x7f\x85\xa0\xad\u061c\u1680\u180e\u2000\u200b\u200d\u200f\u2028\u2029\u202e"
    "\u205f\u2060\u2066\u3000\ufeff\ud800\\",
)
@pytest.mark.parametrize(
    "url", ["{}https://a.example/", "https://a{}.example/", "https://a.example/{}b", "https://a.example/{}"]
)  # fmt: skip
def test_C5_hidden_characters(character, url):
    """What hides, splits or turns text around is refused by its place, and shown escaped."""
    with pytest.raises(InvalidURLError) as raised:
        check_url("image_url", url.format(character))
    assert "percent-encode" in str(raised.value)
    assert character not in str(raised.value) or character in " \\"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example:0/", "https://a.example:99999/", "https://a.example:abc/",
        "https://a.example:-1/", "https://a.example:٣/", "https://a.example:8 0/",
        "https://[::1", "https://[::1]x/", "https://[zz]/", "https://::1/",
        f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", "https://x..example/",
        "https://-a.example/", "https://a-.example/", "https://a!b.example/", "https://a%20b.example/",
        "https://a b.example/", "https://a,b.example/",
    ],
)  # fmt: skip
def test_C7_hosts_and_ports_that_cannot_be(url):
    """What no resolver or socket would take is refused before it costs anything."""
    with pytest.raises(InvalidURLError):
        check_url("image_url", url)


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://169.254.169.254/latest", "https://2130706433/", "https://[::1]/",
     "https://10.0.0.1:8443/a", "https://localhost/"],
)  # fmt: skip
def test_C8_private_addresses(url):
    """The server fetches, not the client: whose addresses those are is its business."""
    check_url("image_url", url)


@pytest.mark.parametrize("length", [MAX_LENGTH, MAX_LENGTH + 1, 10_000_000])
@pytest.mark.parametrize(
    "begin", ["https://a.example/", "https://ä.example/", "HTTPS://a.example/"]
)
def test_C9_long_urls(length, begin):
    """8,192 characters are accepted, more are refused in a short message, at any length."""
    url = begin + "x" * (length - len(begin))
    if length == MAX_LENGTH:
        check_url("image_url", url)
        return
    with pytest.raises(InvalidURLError, match=f"{length:,}") as raised:
        check_url("image_url", url)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("url", [b"https://a.example/", None, 7, ["https://a.example/"], object()])
def test_C10_no_text(url):
    """Only a str is a URL; anything else is named by its type."""
    with pytest.raises(InvalidURLError, match=type(url).__name__):
        check_url("image_url", url)


class Text(str):
    """A subclass that lies about itself."""

    __slots__ = ()

    def startswith(self, *_):
        return True

    def __getitem__(self, _):
        return "https://"


@pytest.mark.parametrize("url", ["http://a.example/", "https://a.example/\n", ""])
def test_C10_a_lying_subclass(url):
    """A subclass of str is judged by its own characters, or refused."""
    with pytest.raises(InvalidURLError):
        check_url("image_url", Text(url))


@given(URLS | st.binary() | st.none())
@example("0" * 101)
def test_what_is_shown_is_harmless(value):
    """A value in a message is short, escaped ASCII, and ends at its query."""
    text = shown(value)
    assert text.removesuffix("…").isascii()
    assert text.isprintable()
    assert len(text) < 1200


@given(st.text(), st.text(), st.text())
def test_what_is_shown_holds_no_password(before, password, after):
    """Whatever stands before the last @ of a URL is not shown."""
    assume(len(password) > 5)
    assume(password not in before + after + "https://***@a.example/")
    assert password not in shown(f"https://{before}:{password}@a.example/{after}")
