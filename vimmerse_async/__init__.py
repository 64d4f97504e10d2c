"""An asyncio SDK with batching for the Vimmerse text API.

Importing this package loads nothing heavy; each name is loaded when it is first used.
"""

from importlib import import_module

from vimmerse_async._version import __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` costs two thirds of an import
if TYPE_CHECKING:
    from vimmerse_async.batch.engine import PromptStream, gather_prompts, stream_prompts
    from vimmerse_async.errors import (
        APIConnectionError,
        APIError,
        APIResponseError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BatchError,
        BatchStoppedError,
        ConfigurationError,
        InsufficientCreditsError,
        InternalServerError,
        InvalidRequestError,
        InvalidURLError,
        JournalError,
        NotFoundError,
        OverloadedError,
        PermissionDeniedError,
        RateLimitError,
        SessionError,
        UnprocessableEntityError,
        VimmerseError,
    )
    from vimmerse_async.hooks import CallEvent, Hook, OpenEvent, RetryEvent, StartEvent, TracingHook
    from vimmerse_async.journal.journal import PromptJournal
    from vimmerse_async.journal.reader import JournalReader
    from vimmerse_async.models import (
        Asset,
        PromptMode,
        PromptOption,
        PromptRequest,
        PromptResult,
        SessionStatistics,
        SharingStatistics,
    )
    from vimmerse_async.options import RetryPolicy, Timeouts
    from vimmerse_async.routes import image_2_prompt, refine_prompt, suggest_prompt, text_prompt
    from vimmerse_async.session import VimmerseSession
    from vimmerse_async.uploads import get_asset, upload_image, upload_video

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "Asset",
    "AuthenticationError",
    "BadRequestError",
    "BatchError",
    "BatchStoppedError",
    "CallEvent",
    "ConfigurationError",
    "Hook",
    "InsufficientCreditsError",
    "InternalServerError",
    "InvalidRequestError",
    "InvalidURLError",
    "JournalError",
    "JournalReader",
    "NotFoundError",
    "OpenEvent",
    "OverloadedError",
    "PermissionDeniedError",
    "PromptJournal",
    "PromptMode",
    "PromptOption",
    "PromptRequest",
    "PromptResult",
    "PromptStream",
    "RateLimitError",
    "RetryEvent",
    "RetryPolicy",
    "SessionError",
    "SessionStatistics",
    "SharingStatistics",
    "StartEvent",
    "Timeouts",
    "TracingHook",
    "UnprocessableEntityError",
    "VimmerseError",
    "VimmerseSession",
    "__version__",
    "gather_prompts",
    "get_asset",
    "image_2_prompt",
    "refine_prompt",
    "stream_prompts",
    "suggest_prompt",
    "text_prompt",
    "upload_image",
    "upload_video",
]

_HOMES = {
    "batch.engine": {"PromptStream", "gather_prompts", "stream_prompts"},
    "journal.journal": {"PromptJournal"},
    "journal.reader": {"JournalReader"},
    "hooks": {"CallEvent", "Hook", "OpenEvent", "RetryEvent", "StartEvent", "TracingHook"},
    "models": {
        "Asset", "PromptMode", "PromptOption", "PromptRequest", "PromptResult",
        "SessionStatistics", "SharingStatistics",
    },
    "options": {"RetryPolicy", "Timeouts"},
    "routes": {"image_2_prompt", "refine_prompt", "suggest_prompt", "text_prompt"},
    "session": {"VimmerseSession"},
    "uploads": {"get_asset", "upload_image", "upload_video"},
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME_OF.get(name, "errors")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
