"""What may be written to a terminal, and how a note gets to stderr, to a log and to programs."""

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

# C0 and C1 controls but tab and newline, DEL, direction changes and other invisibles, surrogates.
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\ufff9-\ufffb]"
)
_LOG = logging.getLogger("vimmerse_async")
_COLORS = ("NO_COLOR", "FORCE_COLOR")
_LINE = logging.Formatter("%(asctime)s %(levelname)s %(message)s")


def visible(text: str) -> str:
    r"""Return a text whose control characters are shown, not obeyed.

    Example:
        >>> visible("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    return _HIDDEN.sub(lambda found: ascii(found.group())[1:-1], text)


def several(count: int, thing: str) -> str:
    """Return a count with what is counted.

    Example:
        >>> several(1, "row"), several(2_000, "row")
        ('1 row', '2,000 rows')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


@attrs.define
class Voice:
    """How the command speaks to people and programs.

    Attributes:
        quiet: True: only what is wrong is said.
        events: True: on stderr stand JSON objects, a line each, instead of sentences.
        aloud: True: the library's log is on stderr, too.
        log: Where every note is kept, too; None: nowhere.
    """

    quiet: bool = False
    events: bool = False
    aloud: bool = False
    log: logging.Handler | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing on stderr may be overwritten, as a progress bar is."""
        return self.quiet or self.events or self.aloud


VOICE = Voice()
"""Of this process, as stderr is."""


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Within the block, let options change the voice; after it, all is as before."""
    level, colors = _LOG.level, {name: os.environ.get(name) for name in _COLORS}
    handlers = [*_LOG.handlers]
    try:
        yield
    finally:
        VOICE.quiet = VOICE.events = VOICE.aloud = False
        VOICE.log = None
        for handler in _LOG.handlers[:]:
            if handler not in handlers:
                _LOG.removeHandler(handler)
                handler.close()
        _LOG.setLevel(level)
        for name, value in colors.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def log_to(path: str) -> None:
    """Let a file have every note, and what the library logs, with the time of each.

    Raises:
        OSError: The file cannot be written.
    """
    handler = logging.FileHandler(Path(path), encoding="utf-8", errors="backslashreplace")
    VOICE.log = handler
    _listen(handler, logging.INFO)


def log_aloud(level: int) -> None:
    """Let stderr have what the library logs from a level on."""
    VOICE.aloud = True
    _listen(logging.StreamHandler(sys.stderr), level)


def note(text: str) -> None:
    """Write a line for people; a terminal that is gone is no error."""
    _keep(text, logging.INFO)
    if not VOICE.quiet:
        _write(text, "note")


def warn(text: str) -> None:
    """Write what is wrong, or how to go on, which nobody wants to miss."""
    _keep(text, logging.WARNING)
    _write(text, "warning")


def tell(event: str, **fields: Any) -> None:
    """Write an event for programs, where they listen."""
    if VOICE.events:
        _put(json.dumps({"event": event, **fields}))


def _write(text: str, event: str) -> None:
    if VOICE.events:
        tell(event, text=text)
    else:
        _put(visible(text))


def _put(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _keep(text: str, level: int) -> None:
    if VOICE.log is not None:
        VOICE.log.handle(_LOG.makeRecord(_LOG.name, level, "", 0, visible(text), (), None))


def _listen(handler: logging.Handler, level: int) -> None:
    handler.setLevel(level)
    handler.setFormatter(_LINE)
    _LOG.addHandler(handler)
    _LOG.setLevel(min(level, _LOG.level or level))
