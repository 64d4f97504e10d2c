"""Run as a program: what a session does when aiohttp has lost a name, or grown one.

Reads a JSON list of changes, and prints what became of a question under each. Every change is made
in a process of its own, to all that aiohttp is made of.
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Callable
from enum import Enum
from types import CodeType, FunctionType

import aiohttp  # noqa: F401 - before it is changed
import anyio  # noqa: F401 - imported once for all


def renamed(code: CodeType, name: str) -> CodeType:
    """Return a function's code with another name for a name."""

    def new(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{each}_renamed" if each == name else each for each in names)

    return code.replace(
        co_names=new(code.co_names),
        co_varnames=new(code.co_varnames),
        co_freevars=new(code.co_freevars),
        co_cellvars=new(code.co_cellvars),
        co_consts=tuple(
            renamed(each, name) if isinstance(each, CodeType) else each for each in code.co_consts
        ),
    )


def lose(_place: str, name: str) -> None:
    """Give a name another name in every class of aiohttp's."""
    for module in [each for path, each in sys.modules.items() if path.startswith("aiohttp")]:
        for owner in [each for each in vars(module).values() if isinstance(each, type)]:
            if owner.__module__ == module.__name__:
                lose_in(owner, name)


def lose_in(owner: type, name: str) -> None:
    for key, value in [*vars(owner).items()]:
        parts = (value, getattr(value, "fget", None), getattr(value, "__func__", None))
        for function in parts:
            if isinstance(function, FunctionType):
                function.__code__ = renamed(function.__code__, name)
        if key == name and not issubclass(owner, Enum):
            delattr(owner, key)
            setattr(owner, f"{key}_renamed", value)


def vanish(place: str, name: str) -> None:
    """Take a class away."""
    delattr(importlib.import_module(place), name)


def grow(place: str, name: str) -> None:
    """Give a class an attribute."""
    module, _, owner = place.rpartition(".")
    setattr(getattr(importlib.import_module(module), owner), name, None)


def nothing(_place: str, _name: str) -> None:
    """Change nothing."""


CHANGES: dict[str, Callable[[str, str], None]] = {
    "vanish": vanish, "lose": lose, "grow": grow, "nothing": nothing,
}  # fmt: skip


async def ask(url: str) -> str:
    """Return what comes of one question."""
    from vimmerse_async import RetryPolicy, SessionError, VimmerseSession, refine_prompt

    try:
        policy = RetryPolicy(backoff_base=0.0)
        async with VimmerseSession("test-of-a-name", base_url=url, retry=policy) as session:
            return await refine_prompt(session, "a fox")
    except SessionError as error:
        return str(error)


def change(url: str, kind: str, place: str, name: str) -> str:
    """Return what comes of one question when aiohttp is changed."""
    try:
        CHANGES[kind](place, name)
        return asyncio.run(ask(url))
    except BaseException as error:  # noqa: BLE001 - the parent is told
        return f"{type(error).__name__}: {error}"


def main() -> None:
    for kind, place, name in json.load(sys.stdin):
        if kind != "vanish":  # a class that has gone was never there
            importlib.import_module("vimmerse_async.routes")
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, change(sys.argv[1], kind, place, name).encode()[:4000])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            sys.stdout.write(json.dumps(pipe.read()) + "\n")
        os.wait()


if __name__ == "__main__":
    main()
