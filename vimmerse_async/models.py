"""The records a caller gives and gets: frozen, slotted, without behaviour."""

from enum import StrEnum
from typing import Any, Literal

import attrs

from vimmerse_async.control.limit import LimitSnapshot
from vimmerse_async.errors import VimmerseError


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


@attrs.frozen
class PromptResult:
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


@attrs.frozen
class Asset:
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
    def url(self) -> str | None:
        """The first hosted address: what the text routes take; None when there is none."""
        return self.results[0] if self.results else None


@attrs.frozen
class SessionStatistics:
    """A read-only picture of a session.

    Attributes:
        calls: Calls begun.
        succeeded: Calls that returned a value.
        failed: Calls that raised.
        sends: Requests sent.
        refused: Requests answered with 429.
        retried: Requests that repeated a failed one.
        possibly_charged: Sends that may have been billed although no answer arrived.
        waiting: Requests that wait to be admitted, those of sessions sharing the limit included.
        expected_wait: Seconds that a call made now would wait for its turn, as far as is known.
        limit: What the limit does right now.
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
