"""The records a caller gives and gets: frozen, slotted, without behaviour."""

from abc import abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

import attrs

from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.errors import APIResponseError, VimmerseError


class PromptOption(StrEnum):
    """What `POST /v2/text/prompt` shall do; the values are the API's own words."""

    INSPIRE_ME = "InspireMe"
    IMAGE_2_PROMPT = "Image2Prompt"
    SUGGEST_PROMPT = "SuggestPrompt"
    REFINE_PROMPT = "RefinePrompt"


class PromptMode(StrEnum):
    """What the prompt is for; the values are the API's own words."""

    SCENE = "scene"
    VIDEO = "video"
    IMAGE = "image"
    AUDIO = "audio"


OptionLike = PromptOption | Literal["InspireMe", "Image2Prompt", "SuggestPrompt", "RefinePrompt"]
ModeLike = PromptMode | Literal["scene", "video", "image", "audio"]


@attrs.frozen
class PromptRequest:
    """One question of a batch, sent as it stands.

    Attributes:
        option: What to do; None leaves it to the server (`InspireMe`).
        prompt: The text to start from; None for none.
        image_url: HTTPS address of the picture; None for none.
        image2_url: HTTPS address of a second picture; None for none.
        video_url: HTTPS address of a video, used when there is no `image_url`; None for none.
        mode: What the prompt is for; None leaves it to the server.
        key: Stands for the URLs, or for the text where there are none, in the question's identity,
            because they change from run to run; None: they are the identity.
        tag: Anything of yours; comes back on the result, is never sent.

    Example:
        >>> PromptRequest(PromptOption.IMAGE_2_PROMPT, image_url="https://a.example/1.png").tag
    """

    option: OptionLike | None = None
    prompt: str | None = None
    image_url: str | None = None
    image2_url: str | None = None
    video_url: str | None = None
    mode: ModeLike | None = None
    key: str | None = attrs.field(default=None, kw_only=True)
    tag: Any = attrs.field(default=None, kw_only=True, eq=False)


FIELDS = tuple(each.name for each in attrs.fields(PromptRequest) if each.name not in {"key", "tag"})
"""What is sent of a question: every field but those that are the caller's own."""
URL_FIELDS = tuple(name for name in FIELDS if name.endswith("_url"))
"""Those that hold the address of a picture or video."""


def _is_json(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(each) for name, each in value.items())
    return value is None or isinstance(value, (str, int, float))


class Travelling:
    """A record that becomes JSON and comes back; pydantic, and so FastAPI, knows how."""

    __slots__ = ()

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """The same as `to_dict`, for `vars`, which web frameworks ask of what they do not know."""
        return self.to_dict()

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""

    @classmethod
    @abstractmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return what `to_dict` told of.

        Args:
            told: What `to_dict` returned, as it is or from JSON.
        """

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema as schema  # noqa: PLC0415 - pydantic's is asking

        told = schema.no_info_after_validator_function(cls.from_dict, schema.dict_schema())
        return schema.json_or_python_schema(
            json_schema=told,
            python_schema=schema.union_schema([schema.is_instance_schema(cls), told]),
            serialization=schema.plain_serializer_function_ser_schema(
                cls.to_dict, return_schema=schema.dict_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        fields = {each.name: _SHAPES.get(str(each.type), {}) for each in attrs.fields(cls)}  # type: ignore[arg-type]
        return {
            "title": cls.__name__,
            "type": "object",
            "properties": {name: dict(shape) for name, shape in (fields | cls._shapes()).items()},
            "required": list(fields),
        }

    @classmethod
    def _shapes(cls) -> dict[str, dict[str, Any]]:
        return {}


_TEXTS = {"type": "array", "items": {"type": "string"}}
_TEXT_OR_NOT: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_SHAPES: Mapping[str, Mapping[str, Any]] = {
    str(int): {"type": "integer"},
    str(float): {"type": "number"},
    str(bool): {"type": "boolean"},
    str(str | None): _TEXT_OR_NOT,
    str(tuple[str, ...]): _TEXTS,
    str(VimmerseError | None): {"anyOf": [{"type": "object"}, {"type": "null"}]},
    str(dict[str, Any]): {"type": "object"},
}


@attrs.frozen
class PromptResult(Travelling):
    """What became of one row of a batch.

    Attributes:
        index: The row's position in the input, from 0.
        request: What was asked: the string or `PromptRequest` of the input.
        prompt: The answer; None when the row failed.
        error: Why it failed; None when it did not.
        attempts: Requests made for it; those answered with 429 are not counted.
        elapsed: Seconds from the first send; 0.0 when nothing was sent.
        possibly_charged: Sends that may have been billed although no answer arrived.
        cached: True when nothing was sent for it: the answer was known, or another row's call
            gave it.
    """

    index: int
    request: Any
    prompt: str | None = None
    error: VimmerseError | None = None
    attempts: int = 0
    elapsed: float = 0.0
    possibly_charged: int = 0
    cached: bool = False

    @property
    def ok(self) -> bool:
        """True when there is a prompt."""
        return self.error is None

    @property
    def tag(self) -> Any:
        """The `tag` of the row's `PromptRequest`; None for a plain string."""
        return getattr(self.request, "tag", None)

    def _repr_html_(self) -> str:
        """Return the row as a notebook shows it: the picture, and what was said of it."""
        from html import escape  # noqa: PLC0415 - for notebooks alone

        asked = getattr(self.request, "image_url", self.request)
        said = self.prompt if self.error is None else f"{type(self.error).__name__}: {self.error}"
        shown = ""
        if isinstance(asked, str) and asked.startswith("https://"):
            shown = (
                f'<img src="{escape(asked)}" style="max-height:12em" referrerpolicy="no-referrer">'
            )
        color = "" if self.error is None else ' style="color:#b00020"'
        return f"<figure>{shown}<figcaption{color}>{escape(said or '')}</figcaption></figure>"

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON holds it; a tag that is no JSON stays behind.

        Example:
            >>> import json
            >>> json.loads(json.dumps(PromptResult(0, "a fox", "a fox, in ink").to_dict()))["ok"]
            True
        """
        told = attrs.asdict(self, recurse=False)
        if isinstance(self.request, PromptRequest):
            asked = attrs.asdict(self.request, recurse=False)
            told["request"] = {
                name: each for name, each in asked.items() if each is not None and _is_json(each)
            }
        told["error"] = None if self.error is None else self.error.to_dict()
        return {**told, "ok": self.ok}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return the row that `to_dict` told of.

        Args:
            told: What `to_dict` returned, as it is or from JSON.
        """
        fields = {each.name: told[each.name] for each in attrs.fields(cls) if each.name in told}
        if isinstance(fields.get("request"), Mapping):
            fields["request"] = PromptRequest(**fields["request"])
        if isinstance(fields.get("error"), Mapping):
            fields["error"] = VimmerseError.from_dict(fields["error"])
        return cls(**fields)

    @classmethod
    def _shapes(cls) -> dict[str, dict[str, Any]]:
        asked = {"anyOf": [{"type": "string"}, {"type": "object"}]}
        return {"request": asked, "ok": {"type": "boolean", "readOnly": True}}


@attrs.frozen
class Asset(Travelling):
    """An uploaded picture or video, as the API describes it.

    Attributes:
        id: The asset's identity, for `get_asset`; None when the server gave none.
        results: Addresses of the hosted file.
        status: The server's word for its state; None when it gave none.
        mime_type: The media type; None when the server gave none.
        thumbnails: Addresses of small pictures of it.
        created_at: The server's time stamp, as sent; None when it gave none.
        updated_at: The server's time stamp, as sent; None when it gave none.
        extra: Every other field of the answer.
    """

    id: str | None
    results: tuple[str, ...] = ()
    status: str | None = None
    mime_type: str | None = None
    thumbnails: tuple[str, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    extra: dict[str, Any] = attrs.field(factory=dict, hash=False)

    @property
    def url(self) -> str:
        """The first hosted address: what the text routes take.

        Raises:
            APIResponseError: There is none, or none yet: look at `status`.
        """
        if not self.results:
            words = f"the asset {self.id} has no URL (status {self.status})"
            raise APIResponseError(words, kind="type")
        return self.results[0]

    def to_dict(self) -> dict[str, Any]:
        """Return the asset as JSON holds it, its `url` with it.

        Example:
            >>> Asset("a", ("https://a.example/1",)).to_dict()["url"]
            'https://a.example/1'
        """
        told = attrs.asdict(self, recurse=False)
        told |= {"results": [*self.results], "thumbnails": [*self.thumbnails]}
        return {**told, "url": self.results[0] if self.results else None}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Return the asset that `to_dict` told of.

        Args:
            told: What `to_dict` returned, as it is or from JSON.
        """
        fields = {each.name: told[each.name] for each in attrs.fields(cls) if each.name in told}
        for name in ("results", "thumbnails"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return cls(**fields)

    @classmethod
    def _shapes(cls) -> dict[str, dict[str, Any]]:
        return {"url": {**_TEXT_OR_NOT, "readOnly": True}}


@attrs.frozen
class SharingStatistics:
    """How a session shares its limit with other processes, right now.

    Attributes:
        scope: Where they are: `host`, `redis` or `ray`.
        processes: How many share it; 1 while this one is alone.
        leader: The id of the process that leads, there; None while this one is alone.
        alone: Why this process goes on with a limit of its own; empty while it shares, or is about
            to.
    """

    scope: str
    processes: int = 1
    leader: int | None = None
    alone: str = ""


@attrs.frozen
class SessionStatistics:
    """A read-only picture of a session.

    Attributes:
        calls: Calls begun.
        succeeded: Calls that returned a value.
        failed: Calls that raised.
        sends: Requests sent.
        refused: Requests that were refused: answered with 429, or with what stood for it.
        retried: Requests that repeated a failed one.
        possibly_charged: Sends that may have been billed although no answer arrived.
        waiting: Requests that wait to be admitted, those of sessions and processes sharing the
            limit included.
        expected_wait: Seconds that a call made now would wait for its turn, as far as is known.
        limit: What the limit does right now, for all that share it.
        sharing: How it is shared with other processes; None: it is this process's own.
    """

    calls: int
    succeeded: int
    failed: int
    sends: int
    refused: int
    retried: int
    possibly_charged: int
    waiting: int
    expected_wait: float
    limit: LimitSnapshot
    sharing: SharingStatistics | None = None
