"""The account's secrets are replaced in every spelling, and nothing else is."""

import base64
import html
import json
import re
import sys
import urllib.parse
from collections import Counter

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vimmerse_async import masking
from vimmerse_async.masking import MASK, SHORTEST_MASKED, Mask

VISIBLE = st.characters(min_codepoint=33, max_codepoint=126)
SECRETS = st.text(VISIBLE, min_size=SHORTEST_MASKED, max_size=40)


@st.composite
def spelled(draw):
    """A secret, and one way to write it in JSON."""
    secret = draw(SECRETS)
    ways = [draw(st.sampled_from(["plain", "lower", "upper", "short"])) for _ in secret]
    return secret, "".join(map(letter_as, secret, ways))


def letter_as(letter, way):
    if way == "short" and letter == "/":
        return "\\/"
    if way in {"lower", "upper"}:
        return f"\\u{ord(letter):04{'x' if way == 'lower' else 'X'}}"
    return json.dumps(letter)[1:-1]


@given(spelled(), st.text(), st.text())
@example(("0000000\\", "0000000\\u005c"), "", "")
@example(("password-u", "password-\\u0075"), "", "")
def test_F8_every_json_spelling(pair, before, after):
    """However JSON writes the secret, the decoded text is free of it."""
    secret, spelling = pair
    assume(secret not in before + after)
    body = f'"{json.dumps(before)[1:-1]} {spelling} {json.dumps(after)[1:-1]}"'
    assert secret in json.loads(body)
    masked = Mask([secret]).thorough(MASK, body.encode())
    assert json.loads(masked) == f"{before} *** {after}"


@given(SECRETS)
def test_F8_other_spellings(secret):
    """HTML, percent and the encodings that JSON may have are seen through, too."""
    mask = Mask([secret])
    for form in (secret, html.escape(secret), urllib.parse.quote(secret, safe="")):
        assert mask.thorough(MASK, f"<p>{form}</p>".encode()) == b"<p>***</p>"
    for charset in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        assert secret.encode(charset) not in mask.thorough(MASK, f"a {secret} b".encode(charset))


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
def test_F8_packed_spellings(secret, before, behind):
    """Base64, wherever the secret stands in it, hexadecimal, and letters escaped one by one."""
    mask, whole = Mask([secret]), before + secret.encode() + behind
    alone = base64.b64encode(secret.encode()).rstrip(b"=")[:-1]
    for pack in (base64.b64encode, base64.urlsafe_b64encode):
        assert b"***" in mask.refusal(pack(whole))
        assert alone not in mask.refusal(pack(secret.encode()))
    for form in (
        secret.encode().hex(),
        secret.encode().hex().upper(),
        "".join(f"%{ord(letter):02X}" for letter in secret),
        "".join(f"&#{ord(letter)};" for letter in secret),
        "".join(f"&#x{ord(letter):x};" for letter in secret),
    ):
        assert mask.refusal(f"<{form}>".encode()) == b"<***>"


@given(SECRETS, st.binary())
def test_what_holds_no_secret_is_left_alone(secret, body):
    """Masking changes nothing else."""
    assume(secret.encode() not in body and b"\\" not in body and b"%" not in body)
    assume(b"&" not in body and b"\0" not in body)
    mask = Mask([secret])
    assert swift(mask, body) == body == mask.thorough(MASK, body)


@given(st.text(VISIBLE, max_size=SHORTEST_MASKED - 1), st.binary())
def test_a_short_key_is_no_secret(key, body):
    """Masking "a" would eat words of the answer."""
    mask = Mask([key])
    assert swift(mask, body) == mask.thorough(MASK, body) == body


@given(st.lists(SECRETS, max_size=3))
def test_a_mask_shows_nothing(secrets):
    """Not even a debugger's view of a mask shows what it hides."""
    mask = Mask(secrets)
    shown = repr(vars(mask)) + repr(mask)
    nothing = repr(vars(Mask([]))) + repr(Mask([]))
    for secret in secrets:
        assert secret not in shown or secret in nothing  # a word of the program's own


@given(SECRETS, st.text(st.characters(max_codepoint=0xDCFF)))
def test_headers_keep_what_they_are(secret, text):
    """A header's odd bytes survive masking."""
    assume(all(not 0xD800 <= ord(letter) <= 0xDC7F for letter in text))
    assume(secret not in text)
    assume("\\" not in text and "&" not in text and "%" not in text)
    assert Mask([secret]).text(f"{text} {secret}") == f"{text} ***"


def test_several_secrets():
    """The key and the Authorization header are both hidden; the longer one goes first."""
    mask = Mask(["key-12345", "Basic key-12345-and-more"])
    body = b"key-12345 Basic key-12345-and-more " + base64.b64encode(b"key-12345")
    assert mask.thorough(MASK, body).startswith(b"*** *** ")
    assert swift(mask, body).startswith(b"*** *** ")


@given(SECRETS, st.data())
def test_F8_mixed_spellings(secret, data):
    """It does not matter whether every letter is escaped, or some are."""
    for ways in (
        ["{0}", "%{1:02X}", "%{1:02x}"],
        ["{0}", "&#{1};", "&#x{1:x};", "&#X{1:04X};"],
    ):
        spelling = "".join(
            data.draw(st.sampled_from(ways)).format(letter, ord(letter)) for letter in secret
        )
        masked = Mask([secret]).thorough(MASK, f"<{spelling}>".encode())
        assert masked == b"<***>"


HOSTILE = [
    ("a" * 1024, b"a" * 1023 + b" "),
    ("a" * 1024, b"a"),
    ("a" * 1023 + "b", b"a"),
    ("ab" * 400 + "c", b"ab"),
    ("a" * 1024, b"\\u0061" * 1023 + b" "),
    ("a" * 1023 + "b", b"%61"),
    ("a" * 1023 + "b", b"&#97;"),
    ("a" * 1023 + "b", b"61"),
    ("\\" * 1023 + "b", b"\\"),
    ("a" * 1023 + '"', b"a"),
]


@pytest.mark.parametrize(("secret", "unit"), HOSTILE)
def test_F8_the_work_grows_with_the_body_alone(secret, unit):
    """A body that nearly spells a long key of few letters is searched in about one step a byte.

    Steps are what the interpreter calls. Inside of a call there is a search for a literal or for
    one token, whose own work is bounded by what it passes over.
    """
    size = 60_000
    body = (unit * (size // len(unit) + 1))[:size]
    made = Counter()

    def count(_frame, event, what):
        if event in {"call", "c_call"}:
            made[getattr(what, "__name__", "call")] += 1

    mask = Mask([secret])
    sys.setprofile(count)
    try:
        mask.refusal(body)
    finally:
        sys.setprofile(None)
    assert made.total() <= 8 * size


def test_F8_no_pattern_looks_further_than_one_token():
    """What is compiled ends within a few bytes, or is one literal: nothing else bounds its work."""
    tokens = [each for each in vars(masking).values() if isinstance(each, re.Pattern)]
    assert len(tokens) == 4
    assert not any(re.search(rb"[*+]|,\}", token.pattern) for token in tokens)
    mask = Mask(['a-secret"key\\of', "another/of+letters"])
    assert set(compiled(mask.thorough)) == set(tokens)
    assert not set(compiled(mask.packed))
    assert len(mask.forms) == 3


def swift(mask, body):
    """Do what is done to every body."""
    for form in mask.forms:
        body = body.replace(form, MASK)
    return body


def compiled(part):
    """Give every compiled pattern that a part of a mask may use."""
    if isinstance(part, re.Pattern):
        yield part
    elif isinstance(getattr(part, "__self__", None), re.Pattern):
        yield part.__self__
    for cell in getattr(part, "__closure__", None) or ():
        held = cell.cell_contents
        for each in held if isinstance(held, tuple) else (held,):
            yield from compiled(each)
