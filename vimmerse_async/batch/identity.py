"""What makes two questions the same: option, mode and fields, whatever route carries them.

A question's identity is a digest of the body that the general route would get for it. A row's own
`key` takes the place of its URLs, or of its text where it has none, and of nothing else.
"""

import json
from collections.abc import Callable, Hashable, Mapping
from hashlib import blake2b
from typing import Any

import attrs

from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.models import FIELDS, URL_FIELDS, PromptOption, PromptRequest
from vimmerse_async.urls import is_plain
from vimmerse_async.wire import (
    IMAGE_2_PROMPT,
    REFINE_PROMPT,
    TEXT_PROMPT_VISION,
    Call,
    prompt_call,
)

DIGEST_SIZE = 16
"""Bytes: among 10^9 questions, two that differ meet with a chance below 10^-20."""

_GENERAL = {
    IMAGE_2_PROMPT.name: b'{"option":"Image2Prompt",',
    REFINE_PROMPT.name: b'{"option":"RefinePrompt",',
}
"""How the general route's body begins that asks the same as a short route's."""
_KEYED = frozenset({*URL_FIELDS, "prompt", "option", "mode", "key", "tag"})
"""Fields that have a place in a keyed question's words; any other is named there."""
_PICTURE = ("image_url",)
_USUAL: Mapping[str, tuple[str, ...]] = {
    PromptOption.REFINE_PROMPT: ("prompt",),
    PromptOption.SUGGEST_PROMPT: (),
}
"""By option: what a key stands for when the words do not say, and hold no seed; else a picture."""

Identify = Callable[[object, Call], Hashable | None]


@attrs.frozen(kw_only=True)
class RefusedRequest(PromptRequest):
    """A row that cannot be asked, as was found out before it came here: it fails with a reason.

    Attributes:
        reason: Why.
    """

    reason: str


@attrs.define(eq=False)
class ReadRow:
    """A row that was read before it came here: it can be sent, and it is known what it is known by.

    Attributes:
        call: What it becomes.
        question: Its identity where each question is asked once.
        tag: Anything of the caller's.
    """

    call: Call
    question: bytes
    tag: Any


def wording(call: Call) -> bytes:
    """Return the question as JSON: the body that the general route would get."""
    body = call.body or b"{}"
    beginning = _GENERAL.get(call.operation.name)
    return body if beginning is None else beginning + body[1:]


def key_of(item: object) -> str | None:
    """Return a row's own key; None when it has none.

    Raises:
        InvalidRequestError: The key is no text.
    """
    key = item.key if isinstance(item, PromptRequest) else None
    if key is not None and (not isinstance(key, str) or not key):
        raise InvalidRequestError("key must be a str that is not empty", field="key")
    return key


def is_repeatable(item: object) -> bool:
    """Return whether asking twice gives two answers: the question has no input of its own."""
    if not isinstance(item, PromptRequest) or item.key is not None:
        return False
    if item.option == PromptOption.SUGGEST_PROMPT:
        return True
    return item.prompt is None and not any(getattr(item, name) for name in URL_FIELDS)


def digest_of(item: object, call: Call, occurrence: int = 0) -> bytes:
    """Return the identity of a row that can be sent.

    Args:
        item: The row.
        call: What it became.
        occurrence: How many rows before it asked the same, where each of them is asked.
    """
    words = _keyed(item) if isinstance(item, PromptRequest) and item.key else wording(call)
    if occurrence:
        words += b"#%d" % occurrence
    return blake2b(words, digest_size=DIGEST_SIZE).digest()


def digest_of_refused(item: object) -> bytes:
    """Return the identity of a row that cannot be sent."""
    known_by = item.key if isinstance(item, RefusedRequest) else None
    words = known_by or described_refused(item)
    return blake2b(b"refused" + words.encode(errors="replace"), digest_size=DIGEST_SIZE).digest()


def question_of(request: PromptRequest, occurrence: int = 0) -> bytes:
    """Return the identity under which the journal keeps a question, 16 bytes.

    Args:
        request: The question; it need not be one that can be sent.
        occurrence: How many rows before it asked the same, where each of them is asked.

    Example:
        >>> question_of(PromptRequest("RefinePrompt", "a fox")).hex()
        'b52421ae5fe24cad19a54fedd8de2659'
    """
    if isinstance(request, RefusedRequest):
        return digest_of_refused(request)
    try:
        key_of(request)
        return digest_of(request, prompt_call(request), occurrence)
    except InvalidRequestError:
        return digest_of_refused(request)


def plain_digest(template: PromptRequest) -> Callable[[str], bytes | None]:
    """Return what gives questions that differ in their picture's URL their identity, at less cost.

    It gives None where the URL has to be looked at more closely.

    Args:
        template: The question, but for the URL.
    """
    around = _around_url(template)

    def digest(url: str) -> bytes | None:
        if around is None or not is_plain(url):
            return None
        return blake2b(around[0] + url.encode() + around[1], digest_size=DIGEST_SIZE).digest()

    return digest


def plain_reader(template: PromptRequest) -> Callable[[str, object], ReadRow | None]:
    """Return what reads rows that differ in their picture's URL, and their tag, at less cost.

    It gives None where the URL has to be looked at more closely.

    Args:
        template: The question, but for the URL.
    """
    around = _around_url(template)

    def read(url: str, tag: object) -> ReadRow | None:
        if around is None or not is_plain(url):
            return None
        body = around[0] + url.encode() + around[1]
        question = blake2b(body, digest_size=DIGEST_SIZE).digest()
        return ReadRow(Call(TEXT_PROMPT_VISION, body), question, tag)

    return read


def _around_url(template: PromptRequest) -> tuple[bytes, bytes] | None:
    """Return what stands before and behind a plain URL in a question's words; None: it is keyed."""
    marker = "https://the.marker.example/"
    body = wording(prompt_call(attrs.evolve(template, image_url=marker)))
    before, found, after = body.partition(b'"image_url":"' + marker.encode())
    sound = found and template.key is None
    return (before + b'"image_url":"', after) if sound else None


def described(item: object, call: Call) -> str:
    """Return what a row asks as JSON, its key included."""
    words = wording(call).decode()
    key = item.key if isinstance(item, PromptRequest) else None
    if key is None:
        return words
    return words[:-1] + ("," if len(words) > 2 else "") + f'"key":{json.dumps(key)}}}'


def described_refused(item: object) -> str:
    """Return what a row that cannot be sent holds as JSON, as far as it is text."""
    if isinstance(item, str):
        return json.dumps({"row": str(item)})
    if not isinstance(item, PromptRequest):
        return json.dumps({"type": type(item).__name__})
    names = (*FIELDS, "key", "reason")
    values = {name: getattr(item, name, None) for name in names}
    fields = {name: _text(value) for name, value in values.items() if value is not None}
    return json.dumps(fields)


def cheapest(template: PromptRequest) -> Identify:
    """Return what tells questions of one batch apart at the least cost in time and memory.

    Args:
        template: What the batch's strings ask for.
    """
    field = "prompt"
    if template.option == PromptOption.IMAGE_2_PROMPT or template.prompt is not None:
        field = "image_url"
    seed = template.prompt

    def identify(item: object, call: Call) -> Hashable | None:
        if type(item) is str:
            return item
        if type(item) is ReadRow:
            return item.question
        if not isinstance(item, PromptRequest):
            return str(item)
        if is_repeatable(item):
            return None
        if item.key is not None:
            return _keyed(item)
        text = getattr(item, field)
        plain = PromptRequest(
            template.option, text if field == "prompt" else seed,
            text if field == "image_url" else None, mode=template.mode,
        )  # fmt: skip
        return text if item == plain else wording(call)

    return identify


def _keyed(item: PromptRequest) -> bytes:
    """Return a keyed question's words: all that is asked but the URLs, or the text, themselves.

    The words are those of the first journals wherever they suffice: what was paid for stays found.
    """
    media = tuple(name for name in URL_FIELDS if getattr(item, name) is not None)
    replaced = media or (() if item.prompt is None else ("prompt",))
    seed = item.prompt if media else None
    words: list[object] = [item.key, item.option, item.mode, seed]
    if replaced != (_PICTURE if seed else _USUAL.get(item.option or "", _PICTURE)):
        words.append(replaced)
    more = {
        each.name: value
        for each in attrs.fields(type(item))
        if each.name not in _KEYED and (value := getattr(item, each.name)) is not None
    }
    if more:
        words.append(more)
    return b"key" + json.dumps(words).encode()


def _text(value: object) -> str:
    return str(value) if isinstance(value, str) else type(value).__name__
