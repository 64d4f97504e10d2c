"""The text routes' contract: which fields, of which type, and what is asked for in the end.

Pure: the words of a request go in, a checked `Question` or a refusal comes out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from vimmerse_async.emulator.api.reply import problem, refused, unprocessable

INSPIRE = "InspireMe"
DESCRIBE = "Image2Prompt"
SUGGEST = "SuggestPrompt"
REFINE = "RefinePrompt"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "option": (INSPIRE, DESCRIBE, SUGGEST, REFINE),
    "mode": ("scene", "video", "image", "audio"),
}
_URL_CAP = 8192
# spelled out, so that this expression means the same in every language's dialect
_BLANK = r"\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
URL_PATTERN = (
    r"^https://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    rf"(?:[/?#][^\\{_BLANK}]*)?$"
)
"""Which URLs the API takes, as the description of the API has it."""

WORDS_PATTERN = rf"[^{_BLANK}]"
"""What a prompt must hold at least, as the description of the API has it."""

_URL = re.compile(URL_PATTERN.removeprefix("^").removesuffix("$"))
_WORDS = re.compile(WORDS_PATTERN)
_KEY = re.compile(r"(?:test|demo)-[\x21-\x7e]{1,250}")


@attrs.frozen
class TextRoute:
    """What one text route reads.

    Attributes:
        option: The option that the route stands for; None: the body says.
        fields: The body's fields; others are ignored.
        required: The fields without which the answer is 422.
    """

    option: str | None = None
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


@attrs.frozen
class Question:
    """A checked request for one prompt."""

    option: str | None = None
    prompt: str | None = None
    image_url: str | None = None
    image2_url: str | None = None
    video_url: str | None = None
    mode: str | None = None

    @property
    def has_media(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.image_url or self.image2_url or self.video_url)

    @property
    def task(self) -> str:
        """The option that holds: `InspireMe`, the default, goes by what was submitted."""
        if self.option not in {None, INSPIRE}:
            return str(self.option)
        if self.has_media:
            return DESCRIBE
        return REFINE if self.prompt else SUGGEST


ALL_FIELDS = tuple(each.name for each in attrs.fields(Question))
URL_FIELDS = tuple(name for name in ALL_FIELDS if name.endswith("_url"))
TEXT_ROUTES: Mapping[str, TextRoute] = {
    "/v2/text/prompt": TextRoute(fields=ALL_FIELDS),
    "/v2/text/suggest-prompt": TextRoute(SUGGEST),
    "/v2/text/refine-prompt": TextRoute(REFINE, ("prompt",), ("prompt",)),
    "/v2/text/image-2-prompt": TextRoute(DESCRIBE, ("image_url",), ("image_url",)),
}


def is_test_key(key: str) -> bool:
    """Whether a key says of itself that it is none of the real ones."""
    return _KEY.fullmatch(key) is not None


def authenticate(keys: list[str], accepted: str | None = None) -> None:
    """Refuse all but one `test-…` or `demo-…` key: a real key is never taken by mistake.

    Raises:
        RefusedError: 401.
    """
    if not keys:
        raise refused(401, "X-Api-Key is missing")
    if len(keys) > 1 or not is_test_key(keys[0]):
        raise refused(401, "X-Api-Key is not valid here: the emulator's keys begin test- or demo-")
    if accepted is not None and keys[0] != accepted:
        raise refused(401, "X-Api-Key is not the emulator's")


def read_question(route: TextRoute, content_type: str, body: bytes) -> Question:
    """Return what a request asks for; a route without fields does not look at the body.

    Raises:
        RefusedError: 422 or 400.
    """
    return ask(route, _decode(content_type, body) if route.fields else {})


def ask(route: TextRoute, data: Mapping[str, Any]) -> Question:
    """Return what is asked on this route with these fields; null is the same as absent.

    Raises:
        RefusedError: 422 for a field of the wrong type or a missing one, 400 for a field that
            does not do what it is for.
    """
    given = {name: data[name] for name in route.fields if data.get(name) is not None}
    problems = [found for name, value in given.items() if (found := _wrong(name, value))]
    problems += [
        problem(["body", name], "Field required", "missing")
        for name in route.required
        if name not in given
    ]
    if problems:
        raise unprocessable(problems)
    if route.option is not None:
        given["option"] = route.option
    question = Question(**given)
    _check_sense(question)
    return question


def is_https_url(url: str) -> bool:
    """Whether this is a URL that the API takes."""
    return len(url) <= _URL_CAP and _URL.fullmatch(url) is not None


def _decode(content_type: str, body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise unprocessable(
            [problem(["header", "content-type"], "Should be application/json", "content_type")]
        )
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise unprocessable([problem(["body"], "Should be valid JSON", "json_invalid")]) from None
    if not isinstance(value, dict):
        raise unprocessable([problem(["body"], "Should be a JSON object", "dict_type")])
    return value  # pyright: ignore[reportUnknownVariableType]  # keys and values are checked next


def _wrong(name: str, value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, str):
        return problem(["body", name], "Input should be a valid string", "string_type")
    try:
        value.encode()
    except UnicodeEncodeError:
        return problem(["body", name], "Should be whole Unicode characters", "string_unicode")
    choices = CHOICES.get(name)
    if choices is not None and value not in choices:
        return problem(["body", name], f"Input should be one of {', '.join(choices)}", "enum")
    return None


def _check_sense(question: Question) -> None:
    for name in URL_FIELDS:
        url = getattr(question, name)
        if url is not None and not is_https_url(url):
            raise refused(400, f"{name} must be an HTTPS URL")
    if question.prompt is not None and not _WORDS.search(question.prompt):
        raise refused(400, "prompt must not be empty")
    if question.option == REFINE and question.prompt is None:
        raise refused(400, "prompt is required when option is RefinePrompt")
    if question.option == DESCRIBE and not question.has_media:
        raise refused(400, "image_url or video_url is required when option is Image2Prompt")
