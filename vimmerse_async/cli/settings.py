"""What files say in place of options: `vimmerse.toml`, and `[tool.vimmerse]` in pyproject.toml."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import rich_click as click

from vimmerse_async import system

NAME = "vimmerse.toml"
PROFILE_VARIABLE = "VIMMERSE_PROFILE"
_PROFILES = "profiles"
_TRUSTED = frozenset(("base-url", "api-key-file", "trust-env", "ca-file", "client-cert"))
"""Where the key is and where it goes: a file that came with a catalog has no say in that."""


@attrs.frozen
class _File:
    """What a file says.

    Attributes:
        path: Where it is.
        table: What it holds.
        own: True where nobody but the user puts files.
    """

    path: Path
    table: Mapping[str, Any]
    own: bool


def defaults(
    command: click.Command, name: str, beside: str | None, profile: str | None
) -> dict[str, Any]:
    """Return what the files say for a command, by parameter; the nearest file counts.

    Args:
        command: Whose options may be set.
        name: Of the command, as typed.
        beside: The catalog; None: there is none.
        profile: Which `[profiles.NAME]` counts above the rest; None: none.

    Raises:
        UsageError: A file cannot be read, or says what no option is.
    """
    known = _options(command)
    found: dict[str, Any] = {}
    files = [*_files(beside)]
    for file in files:
        found |= _checked(file, file.table, name, known)
    if profile is None:
        return found
    tables = [(file, file.table.get(_PROFILES, {}).get(profile)) for file in files]
    if not any(table is not None for _, table in tables):
        looked = ", ".join(str(file.path) for file in files) or f"there is no {NAME}"
        raise click.UsageError(f"no file has [{_PROFILES}.{profile}]: {looked}")
    for file, table in tables:
        found |= _checked(file, table or {}, name, known)
    return found


def _options(command: click.Command) -> dict[str, str]:
    """Return the parameter of each option, by what is typed without its dashes."""
    return {
        typed.removeprefix("--"): option.name or ""
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
        for typed in option.opts
        if typed.startswith("--")
    }


def _checked(
    file: _File, table: Mapping[str, Any], name: str, known: Mapping[str, str]
) -> dict[str, Any]:
    own = table.get(name, {})
    if not isinstance(own, Mapping):
        raise click.UsageError(f"{file.path}: {name} must be a table: [{name}]")
    shared = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    said: dict[str, Any] = {}
    for key, value in {**shared, **own}.items():
        typed = key.replace("_", "-")
        if typed not in known:
            if key in own:
                raise click.UsageError(_unknown(file, key, name, known))
            continue  # of another command
        if typed in _TRUSTED and not file.own:
            raise click.UsageError(
                f"{file.path} says {key}, which decides where the key goes: only "
                f"{_own_folder() / NAME} may"
            )
        said[known[typed]] = value
    return said


def _unknown(file: _File, key: str, name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(key.replace("_", "-"), known, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{file.path} says {key}, which is no option of `vimmerse {name}`{meant}"


def _files(beside: str | None) -> Iterator[_File]:
    """Give the files, those that count least first."""
    yield from _read(_own_folder() / NAME, own=True)
    here = Path.cwd()
    yield from _read(here / "pyproject.toml", own=False)
    yield from _read(here / NAME, own=False)
    if beside is not None and beside != "-":
        path = Path(beside)
        folder = path if path.is_dir() else path.parent
        if folder.resolve() != here:
            yield from _read(folder / NAME, own=False)


def _read(path: Path, *, own: bool) -> Iterator[_File]:
    if not path.is_file():
        return
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from None
    if path.name != NAME:
        table = table.get("tool", {}).get("vimmerse", {})
    if table:
        yield _File(path, table, own)


def _own_folder() -> Path:
    return system.config_folder() / "vimmerse"
