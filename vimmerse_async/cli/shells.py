"""Words as they are typed: each shell has quotes of its own."""

import re
import shlex
from collections.abc import Iterable

from vimmerse_async import system
from vimmerse_async.system import Shell

_PLAIN = re.compile(r"[A-Za-z0-9_.:/\\=+-]+")
"""What no shell of Windows reads in another way."""
_SINGLE = re.compile("['\u2018\u2019\u201a\u201b]")
"""What PowerShell takes for a single quote."""
_BEFORE_QUOTE, _AT_END = re.compile(r'(\\*)"'), re.compile(r"(\\+)\Z")


def typed(words: Iterable[str], shell: Shell | None = None) -> str:
    """Return words as they are typed in a shell.

    Args:
        words: A command and its arguments.
        shell: Which; None: the one around this process.

    Example:
        >>> typed(["vimmerse", "caption", "my photos"], "cmd")
        'vimmerse caption "my photos"'
    """
    name = shell or system.shell()
    return " ".join(_quoted(word, name) for word in words)


def assignment(name: str, value: str, shell: Shell | None = None) -> str:
    """Return the line that gives programs of a shell a variable.

    Example:
        >>> assignment("A", "b c", "powershell")
        "$env:A = 'b c'"
    """
    match shell or system.shell():
        case "sh":
            return f"export {name}={shlex.quote(value)}"
        case "cmd":
            return f'set "{name}={value}"'
        case _:
            return f"$env:{name} = '{_SINGLE.sub(_twice, value)}'"


def _quoted(word: str, shell: Shell) -> str:
    if shell == "sh":
        return shlex.quote(word)
    if _PLAIN.fullmatch(word):
        return word
    if shell == "cmd":
        # "" is a quote to the program, and leaves cmd inside of quotes
        inner = _AT_END.sub(r"\1\1", _BEFORE_QUOTE.sub(r'\1\1""', word))
        return f'"{inner}"'
    if shell == "powershell":  # it forgets to escape quotes; PowerShell 7 does not
        word = _BEFORE_QUOTE.sub(r"\1\1\"", word)
        word = _AT_END.sub(r"\1\1", word) if re.search(r"\s", word) else word
    return f"'{_SINGLE.sub(_twice, word)}'"


def _twice(found: re.Match[str]) -> str:
    return found.group() * 2
