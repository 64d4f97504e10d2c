"""What comes back: garbage gives a value or one family of errors, and nothing else."""

import gzip
import json
import sys
import zlib

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vimmerse_async.decode import (
    MAX_MESSAGE,
    MAX_REPLY,
    MAX_SHOWN,
    REQUEST_ID_HEADERS,
    decode,
    error_of,
    is_emulator,
    unpack,
)
from vimmerse_async.errors import APIError, APIResponseError, APIStatusError, status_error_class
from vimmerse_async.models import Asset
from vimmerse_async.wire import IMAGE_2_PROMPT, REFINE_PROMPT, UPLOAD, Failure, Operation, Reply

CUSTOM = Operation("request", "GET", "/other?token=private", expects="json")
OPERATIONS = st.sampled_from([REFINE_PROMPT, IMAGE_2_PROMPT, UPLOAD, CUSTOM])
NAMES = st.sampled_from(["data", "message", "detail", "error", "id", "results", "loc", "msg"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner),
    max_leaves=12,
)
TEXTS = JSON.map(json.dumps) | JSON.map(lambda value: json.dumps(value, ensure_ascii=False))
BODIES = st.one_of(
    st.binary(),
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.builds(
        lambda text, charset: text.encode(charset, "replace"),
        TEXTS,
        st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp500"]),
    ),
    st.builds(lambda text, cut: text.encode("utf-8", "replace")[:cut], TEXTS, st.integers(0, 50)),
    TEXTS.map(lambda text: gzip.compress(text.encode("utf-8", "replace"))),
)
ENCODINGS = st.sampled_from(
    ["gzip", "deflate", "br", "identity", "", "GZIP", "x-gzip", "gzip, gzip"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "location", *REQUEST_ID_HEADERS]),
    st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


def reply(body, status=200, **headers):
    return Reply(status, headers, body if isinstance(body, bytes) else body.encode())


@given(OPERATIONS, BODIES, HEADERS, st.integers(200, 299))
@example(REFINE_PROMPT, b"[" * 100_000, {}, 200)
@example(REFINE_PROMPT, b"9" * 6000, {}, 200)
@example(UPLOAD, b'{"id": ' + b"[" * 400 + b"]" * 400 + b"}", {}, 200)
def test_any_2xx_is_a_value_or_a_response_error(operation, body, headers, status):
    """A prompt is a str with something in it; whatever is none is an APIResponseError."""
    found = decode(operation, Reply(status, headers, body))
    if isinstance(found, APIResponseError):
        assert found.status == status
        check_words(found)
    elif operation.expects == "text":
        assert type(found) is str
        assert found.strip()
        found.encode()
    elif operation.expects == "asset":
        assert type(found) is Asset
        assert all(type(url) is str for url in found.results)


def check_words(error):
    assert len(error.message) <= MAX_MESSAGE + 100
    assert len(error.body) <= MAX_SHOWN
    assert "private" not in error.message
    for text in (error.message, error.body, error.request_id or ""):
        assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in text)
        text.encode()


@given(OPERATIONS, BODIES, HEADERS, st.integers(0, 999).filter(lambda status: status // 100 != 2))
@example(REFINE_PROMPT, b'{"detail": [{"loc": ["body"], "msg": "bad"}]}', {}, 422)
def test_any_other_reply_is_an_error(operation, body, headers, status):
    """It never fails while failing: the class by the status, the words as far as there are some."""
    error = error_of(operation, Reply(status, headers, body))
    assert isinstance(error, APIError)
    check_words(error)
    if 400 <= status < 600:
        assert type(error) is status_error_class(status)
        assert error.retry_after is None or error.retry_after >= 0
    else:
        assert error.kind == ("redirect" if 300 <= status < 400 else "malformed")


@pytest.mark.parametrize("shape", ["[", '{"a":', '{"detail":[', '{"message":[', '{"id":['])
def test_B12_any_depth(shape):
    """However deep a reply is nested, it ends as a value or an error of ours."""
    close = {"[": "]", '{"a":': "}"}.get(shape, "]}")
    for depth in (*range(1, sys.getrecursionlimit() + 50, 31), 10_000, 100_000):
        body = (shape * depth + "1" + close * depth).encode()
        for operation in (REFINE_PROMPT, UPLOAD, CUSTOM):
            decode(operation, reply(body))
            error_of(operation, reply(body, 422))
        inner = b'{"detail": [' + b"[" * depth + b"]" * depth + b"]}"
        assert isinstance(error_of(REFINE_PROMPT, reply(inner, 422)), APIStatusError)
        decode(UPLOAD, reply(b'{"id": ' + b"[" * depth + b"]" * depth + b"}"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"message": "no credits"}', "no credits"),
        ('{"error": "bad"}', "bad"),
        ('{"error": {"message": "bad"}}', "bad"),
        ('{"message": {"x": 1}}', '{"message": {"x": 1}}'),
        ('{"message": ""}', '{"message": ""}'),
        ('{"detail": "too long"}', "too long"),
        ('{"detail": [{"loc": ["body", "prompt", 0], "msg": "too long", "type": "t"}]}',
         "body.prompt.0: too long"),
        ('{"detail": [{"msg": "too long"}]}', "too long"),
        ('{"detail": [{"loc": "body", "msg": "too long"}]}', "too long"),
        ('{"detail": [{"loc": ["body"]}]}', "body: invalid"),
        ('{"detail": ["one", "two"]}', "one; two"),
        ('{"detail": {"message": "odd"}}', "odd"),
        ('["a", "b"]', '["a", "b"]'),
        ("<html>\x1b[31mBad\x00 Gateway</html>", "[31mBad Gateway"),
        ("<html><head><title>403 Forbidden</title></head><body><p>no</p>", "403 Forbidden"),
        ("<!DOCTYPE html><style>p {}</style><h1>Slow &amp; steady</h1>", "Slow & steady"),
        ("<p>Request forbidden by administrative rules.</p>", "Request forbidden by administrative rules."),  # noqa: E501
        ("<div>a <b", "a"),
        ("", "no explanation given"),
        ("   ", "   "),
        (b"caf\xe9", "caf\ufffd"),
        ("null", "null"),
        ('{"message": "\\ud800"}', "?"),
    ],
)  # fmt: skip
def test_B31_what_an_error_says(body, message):
    """The server's own words are found wherever servers put them."""
    error = error_of(REFINE_PROMPT, reply(body, 400))
    assert error.message == f"HTTP 400: {message}"


def test_B31_long_words_are_cut():
    """A message of 10,000 letters is shown to 1,000, a body to 2,000."""
    error = error_of(REFINE_PROMPT, reply(json.dumps({"message": "x" * 10_000}), 400))
    assert (len(error.message), len(error.body)) == (MAX_MESSAGE + len("HTTP 400: "), MAX_SHOWN)


def test_B31_details_of_a_422():
    """The entries are kept as they came; whatever is no list is none."""
    entries = [{"loc": ["body", 1], "msg": "bad", "type": "t", "input": None}]
    assert error_of(REFINE_PROMPT, reply(json.dumps({"detail": entries}), 422)).details == (
        entries[0],
    )
    assert error_of(REFINE_PROMPT, reply('{"detail": {"a": 1}}', 422)).details == ()


@pytest.mark.parametrize("name", REQUEST_ID_HEADERS)
@pytest.mark.parametrize("status", [200, 302, 400])
def test_the_request_s_name(name, status):
    """Whichever header names the request, the error has it, short and clean."""
    headers = {name: "abc\x1b\ud800" + "x" * 200}
    answer = Reply(status, headers, b"null")
    error = decode(REFINE_PROMPT, answer) if status == 200 else error_of(REFINE_PROMPT, answer)
    assert error.request_id.startswith("abc ?x")
    assert len(error.request_id) == 100


@given(
    st.binary(max_size=5000),
    st.sampled_from(["gzip", "x-gzip", " GZIP ", "deflate", "identity", ""]),
)
def test_B16_what_is_packed_is_unpacked(content, encoding):
    """A well-packed body is unpacked; one that is cut by a byte is not."""
    pack = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}
    word = encoding.strip().lower()
    packed = pack.get(word, bytes)(content)
    assert unpack(packed, encoding) == content
    if word in pack:
        assert unpack(packed[:-1], encoding) == "encoding"
        assert unpack(packed + b"x", encoding) == "encoding"


@given(st.binary(), st.text())
def test_B16_anything_is_unpacked_or_refused(content, encoding):
    """The answer is the bytes, or the kind of the failure."""
    assert isinstance(unpack(content, encoding), bytes) or unpack(content, encoding) in {
        "encoding",
        "too_large",
    }


@pytest.mark.parametrize("size", [MAX_REPLY, MAX_REPLY + 1, 10 * MAX_REPLY])
def test_B14_a_bomb_is_not_unpacked(size):
    """The cap holds for what comes out, whatever went in."""
    found = unpack(zlib.compress(bytes(size)), "deflate")
    assert found == (bytes(size) if size <= MAX_REPLY else "too_large")


def test_custom_replies():
    """`request` gives any JSON, without the wrapper that has nothing else; None for nothing."""
    values = {
        "": None,
        " ": None,
        "null": None,
        "[1]": [1],
        '{"data": 1}': 1,
        '{"data": 1, "b": 2}': {"data": 1, "b": 2},
        '"\\ud800"': "\ud800",
    }
    for body, value in values.items():
        assert decode(CUSTOM, reply(body)) == value


def test_assets():
    """Known fields become attributes, unknown ones are kept, other shapes are errors."""
    fields = {
        "id": "a",
        "results": ["u", 1],
        "status": "success",
        "mime_type": None,
        "new": {"x": 1},
    }
    for body in (fields, {"data": fields}):
        asset = decode(UPLOAD, reply(json.dumps(body)))
        assert attrs.asdict(asset) == attrs.asdict(
            Asset("a", ("u",), "success", extra={"new": {"x": 1}})
        )
    for body, kind in (("[]", "type"), ('"url"', "type"), ("{}", "type"), ("", "empty"),
                       ('{"message": "no"}', "error_object")):  # fmt: skip
        assert decode(UPLOAD, reply(body)).kind == kind


KINDS = [
    "lost", "timeout", "idle", "malformed", "truncated", "too_large", "connect", "connect_timeout",
    "dns", "tls", "certificate", "proxy", "local", "source",
]  # fmt: skip


@given(st.sampled_from(KINDS), st.booleans(), st.text())
def test_a_failure_keeps_its_kind(kind, sent, message):
    """Its error has the same kind, and says whether it may have been charged."""
    error = error_of(REFINE_PROMPT, Failure(kind, sent=sent, message=message))
    assert (error.kind, error.message) == (kind, message)
    if not isinstance(error, APIResponseError):
        assert error.sent == ("maybe" if sent else "no")


@pytest.mark.parametrize(
    ("status", "body", "emulated"),
    [
        (200, b'{"server": "vimmerse-emulator", "version": "1"}', True),
        (200, b'{"server": "nginx"}', False),
        (200, b'"vimmerse-emulator"', False),
        (200, b'["server", "vimmerse-emulator"]', False),
        (200, b"<html>vimmerse-emulator</html>", False),
        (200, b"", False),
        (200, b"\xff", False),
        (200, b"[" * 100_000, False),
        (404, b'{"server": "vimmerse-emulator"}', False),
        (302, b"", False),
        (401, b"", False),
        (429, b"", None),
        (408, b"", None),
        (502, b'{"server": "vimmerse-emulator"}', None),
    ],
)
def test_only_who_says_so_is_an_emulator(status, body, emulated):
    """Any other answer is of the service; of who is busy or broken nothing is known."""
    assert is_emulator(Reply(status, {}, body)) is emulated


def test_who_does_not_answer_may_be_anything():
    """A failure tells nothing about who is there."""
    assert is_emulator(Failure("refused", sent=False, message="nobody listens")) is None
