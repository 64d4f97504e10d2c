"""From an error to one line for people and an exit code for scripts."""

import os
import re
import sys
from collections.abc import Mapping

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from vimmerse_async.cli.terminal import warn
from vimmerse_async.control.retry import rule_of
from vimmerse_async.errors import (
    APIConnectionError,
    APIError,
    AuthenticationError,
    BatchStoppedError,
    InsufficientCreditsError,
    InvalidRequestError,
    JournalError,
    PermissionDeniedError,
    RateLimitError,
    VimmerseError,
)

OK, FAILED, USAGE, STOPPED, OUTPUT = range(5)
INTERRUPTED = 130


class OutputError(Exception):
    """The results cannot be written."""


class ClosedError(Exception):
    """Whoever read the results has gone away; there is nobody to tell."""


_CODES: Mapping[type[BaseException], int] = {
    InvalidRequestError: USAGE,
    BatchStoppedError: STOPPED,
    VimmerseError: FAILED,
    click.ClickException: USAGE,
    OutputError: OUTPUT,
    JournalError: USAGE,
}
"""The nearest class counts."""
_MENDS: Mapping[type[BaseException], str] = {
    AuthenticationError: "check VIMMERSE_API_KEY or --api-key-file",
    InsufficientCreditsError: "add credits to the account, then run it again",
    PermissionDeniedError: "check what the key may do",
    RateLimitError: "run it again later",
    APIConnectionError: "check the network and the base URL, or try it with --emulator",
}
_HINTS: Mapping[str, str] = {
    "auth": "check VIMMERSE_API_KEY or --api-key-file",
    "credits": "add credits to the account, then run it again",
    "throttled": "a limit of the account, or of a gateway before it, is used up for longer: run it "
    "again later, or let it wait (--patience 1h)",
}
"""What mends what stopped a run, where the library says it to programmers."""
_FIELDS: Mapping[str, str] = {
    "base_url": "--base-url",
    "image_url": "--image",
    "image2_url": "--image2",
    "video_url": "--video",
}
"""How what the library names is typed."""
_WORDS: Mapping[str, str] = {
    "pass ssl=ssl.create_default_context(cafile=…), or name the authority's file in": (
        "name its authority's file with --ca-file or in"
    ),
    "load yours into a context with load_cert_chain(…), and pass ssl=context": (
        "name yours with --client-cert"
    ),
    "check what was loaded with load_cert_chain(…) into the context passed as ssl=": (
        "check the file that --client-cert names"
    ),
    "(load_cert_chain(…) into a context, passed as ssl=)": "(--client-cert)",
    ", or a context passed as ssl= to allow what it offers": "",
    "in base_url": "in --base-url",
}
"""What mends a connection, where the library says it to programmers."""
_NAMED = re.compile(rf"\b({'|'.join(_FIELDS)})\b(?!=)")


def report(error: BaseException) -> int:
    """Tell what went wrong in one line and return the exit code."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED
    if isinstance(error, ClosedError):
        return end_quietly()
    if isinstance(error, NoArgsIsHelpError):
        warn(error.format_message())
        return USAGE
    warn(f"vimmerse: {explain(error)}")
    if not any(isinstance(error, known) for known in _CODES) and sys.flags.dev_mode:
        raise error
    return exit_code(error)


def explain(error: BaseException) -> str:
    """Return one line that says what is wrong, and what mends it."""
    if isinstance(error, click.UsageError):
        page = f" (see `{error.ctx.command_path} --help`)" if error.ctx is not None else ""
        return f"{error.format_message().removesuffix('.')}{page}"
    if isinstance(error, click.ClickException):
        return error.format_message()
    words = error.in_words() if isinstance(error, VimmerseError) else str(error)
    text = in_words_of_the_command(" ".join(words.split("\n")))
    if isinstance(error, BatchStoppedError):
        hint = _HINTS.get(error.reason, error.resume_hint)
        return f"{text} {hint[:1].upper()}{hint[1:]}" if text.endswith("?") else f"{text}; {hint}"
    if isinstance(error, InvalidRequestError):
        text = _NAMED.sub(lambda found: _FIELDS[found.group()], text)
    if not any(isinstance(error, known) for known in _CODES):
        return f"unexpected {type(error).__name__}: {text} (PYTHONDEVMODE=1 shows where)"
    lasting = isinstance(error, APIError) and rule_of(error).stops in {"connection", "internal"}
    mend = None if lasting else _MENDS.get(type(error))
    return f"{text}; {mend}" if mend else text


def in_words_of_the_command(text: str) -> str:
    """Return what the library says with the command's options in place of Python's."""
    for said, typed in _WORDS.items():
        text = text.replace(said, typed)
    return text


def exit_code(error: BaseException) -> int:
    """Return the exit code that stands for an error."""
    if isinstance(error, JournalError) and error.kind == "write":
        return OUTPUT
    if isinstance(error, APIError):
        return STOPPED if rule_of(error).row == "unfinished" else FAILED
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FAILED)


def end_quietly() -> int:
    """Let what is still buffered for a closed pipe go nowhere, and return the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return OUTPUT
