"""The emulator as a process: until a signal comes, or as long as another command runs."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import rich_click as click

from vimmerse_async import system
from vimmerse_async.cli.runner import Interrupts, run
from vimmerse_async.cli.shells import assignment
from vimmerse_async.cli.terminal import note, warn
from vimmerse_async.emulator.behaviour.limits import Limits
from vimmerse_async.emulator.behaviour.spec import read_plan
from vimmerse_async.emulator.server import Emulator

_LIMITS = frozenset(field.name for field in attrs.fields(Limits))
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""What a shell answers."""


def serve(flags: Mapping[str, Any]) -> int:
    """Run the emulator until a signal comes, and return the exit code.

    Args:
        flags: The flags of the command that were given.

    Raises:
        UsageError: A flag makes no sense.
    """
    emulator = build(flags)

    async def stand(_interrupts: Interrupts) -> int:
        async with emulator:
            with _variables(emulator) as variables:
                for name, value in variables.items():
                    sys.stdout.write(f"{assignment(name, value)}\n")
                sys.stdout.flush()
                note(f"the emulator answers at {emulator.url}; Ctrl-C ends it")
                await asyncio.Event().wait()
        return 0

    try:
        return run(stand)
    except OSError as error:
        raise click.UsageError(str(error.strerror or error)) from None


def execute(flags: Mapping[str, Any], words: Sequence[str]) -> int:
    """Run a command beside the emulator, and return the command's exit code.

    Args:
        flags: The flags of the command that were given.
        words: The command.

    Raises:
        UsageError: A flag makes no sense.
    """
    emulator = build(flags)
    try:
        with emulator, _variables(emulator) as variables:
            return _wait_for(words, {**os.environ, **variables})
    except OSError as error:
        raise click.UsageError(str(error.strerror or error)) from None


def build(flags: Mapping[str, Any]) -> Emulator:
    """Return the emulator that the flags describe.

    Raises:
        UsageError: A flag makes no sense.
    """
    given = dict(flags)
    limits = {name: given.pop(name) for name in _LIMITS & given.keys()}
    if not given.get("key", "test-").startswith(("test-", "demo-")):
        raise click.UsageError(
            "--key must begin with test- or demo-, so that no real key gets here"
        )
    try:
        plan = read_plan(Path(given.pop("faults"))) if "faults" in given else {}
        if limits:
            plan["limits"] = attrs.evolve(plan.get("limits", Limits()), **limits)
        if given.pop("any_url", False):
            plan["unknown_media"] = "placeholder"
        if "prices" in given:
            prices = _pairs("--price", given.pop("prices"))
            plan["prices"] = {route: float(price) for route, price in prices.items()}
        if "maps" in given:
            plan["maps"] = _pairs("--map", given.pop("maps"))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            emulator = Emulator(**{**plan, **given})
    except (ValueError, OSError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None
    for warning in caught:
        warn(f"warning: {warning.message}")
    return emulator


def _pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, value in pairs:
        if not (name and equals and value):
            raise ValueError(f"{flag} takes two things with = between them")
    return {name: value for name, _, value in pairs}


@contextlib.contextmanager
def _variables(emulator: Emulator) -> Iterator[dict[str, str]]:
    variables = {"VIMMERSE_BASE_URL": emulator.url, "VIMMERSE_API_KEY": emulator.key}
    if not emulator.url.startswith("https:"):
        yield variables
        return
    with tempfile.TemporaryDirectory(prefix="vimmerse-ca-") as folder:
        file = Path(folder) / "ca.pem"  # closed: others open it, too
        file.write_bytes(emulator.ca_pem)
        yield {**variables, "SSL_CERT_FILE": str(file)}


def _wait_for(words: Sequence[str], environment: Mapping[str, str]) -> int:
    # Ctrl-C reaches the command by itself; a handler, unlike SIG_IGN, is not inherited.
    with _handling(lambda *_: None, signal.SIGINT):
        try:
            program = shutil.which(words[0]) or words[0]  # npm.cmd is found, too
            child = subprocess.Popen([program, *words[1:]], env=environment)  # noqa: S603
        except FileNotFoundError:
            warn(f"vimmerse: there is no command {words[0]}")
            return _NOT_FOUND
        except PermissionError:
            warn(f"vimmerse: {words[0]} cannot be executed")
            return _NOT_EXECUTABLE
        with _handling(
            lambda number, _: system.pass_on(child, signal.Signals(number)), *system.endings()[1:]
        ):
            code = child.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _handling(handler: Callable[[int, Any], None], *numbers: signal.Signals) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
