"""The names of aiohttp that nobody is promised: without one of them no session opens."""

import ast
import asyncio
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from surface_reader import unlisted

import vimmerse_async.http
from vimmerse_async import refine_prompt
from vimmerse_async.http import surface
from vimmerse_async.http.line import READ as READ_SIZE
from vimmerse_async.http.line import Line
from vimmerse_async.http.pool import GuardedProtocol
from vimmerse_async.http.surface import CALLED, OURS, OVERRIDDEN, READ

PROGRAM = Path(__file__).with_name("renamed_aiohttp.py")
ROOM = Path(vimmerse_async.http.__file__).parent
Change = tuple[str, str, str]
"""Kind of change, class or module, name."""


def losses() -> Iterator[tuple[str, Change]]:
    """Give every class, name and parameter of the surface, and how it goes."""
    for place in {**READ, **CALLED, **OVERRIDDEN}:
        module, _, owner = place.rpartition(".")
        if module != "aiohttp":  # else it is a public name
            yield place, ("vanish", module, owner)
    for place, names in READ.items():
        yield from ((f"{place}.{name}", ("lose", place, name)) for name in names.split())
    for place, methods in [*CALLED.items(), *OVERRIDDEN.items()]:
        for method in methods:
            names = re.findall(r"\w+", method.removeprefix("async "))
            for name in names:
                if name not in {"__init__", "self"}:
                    yield f"{place}.{method}", ("lose", place, name)


def growths() -> Iterator[tuple[str, Change]]:
    """Give every name of ours that aiohttp could come to use."""
    for place, names in OURS.items():
        yield from ((f"{place}.{name}", ("grow", place, name)) for name in names.split())


async def outcomes(url: str, changes: list[Change]) -> list[str]:
    """Return what becomes of a call under each change, in processes of their own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, PROGRAM, url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1"},
    )  # fmt: skip
    written, _ = await process.communicate(json.dumps(changes).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in written.splitlines()]


async def test_whichever_name_is_gone_nothing_is_sent(serve):
    """A session that finds a name gone, or taken, refuses to open and says what mends it."""
    server = await serve()
    cases = [*losses(), *growths()]
    said = await outcomes(server.url, [change for _, change in cases])
    for (wanted, change), words in zip(cases, said, strict=True):
        assert words.startswith(f"aiohttp {aiohttp.__version__} "), (wanted, change, words)
        assert f'pip install "aiohttp{surface.KNOWN}"' in words
    assert (server.connections, server.received) == (0, 0)


async def test_with_every_name_there_the_question_is_asked(serve):
    """The program asks once when nothing is changed, or the test above would prove nothing."""
    server = await serve()
    assert await outcomes(server.url, [("nothing", "", "")]) == ["answer to a fox"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "path",
    [each for each in ROOM.glob("*.py") if each.stem != "surface"],
    ids=lambda path: path.stem,
)
async def test_no_name_is_read_that_the_surface_does_not_list(path):
    """What a module of the room takes from aiohttp stands in the tables."""
    assert unlisted(path.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("protocol._buffer", "protocol._buffer"),
        ("connection.add_callback(f)", "connection.add_callback"),
        ("self._connector._limit", "self._connector._limit"),
        ("protocol.upgraded", "protocol.upgraded"),
        ("protocol.set_response_params(max_headers=1)", "set_response_params(max_headers=)"),
        ("from aiohttp.helpers import noop", "from aiohttp.helpers"),
        ("class A(ResponseHandler):\n def pause_reading(self): ...", "pause_reading"),
        ("class A(ResponseHandler):\n def new(self): ...", "new"),
        ("class A(aiohttp.TCPConnector):\n def a(self): self._waiters", "_waiters"),
        ("class A(aiohttp.TCPConnector):\n def take(self): self._novel = 1", "_novel"),
        ("class A(aiohttp.TCPConnector):\n def take(self): super()._cleanup()", "_cleanup"),
        ("class A(aiohttp.Payload):\n _part = 1\n _headers = 1", "_headers"),
    ],
)
async def test_a_forgotten_name_is_found(source, found):
    """Whichever way a name of aiohttp's is taken, one that is not listed is seen."""
    assert any(each.endswith(found) for each in unlisted(source)), unlisted(source)


@pytest.mark.parametrize("length", [1, 100_000], ids=["ours", "aiohttp's"])
async def test_connections_read_in_small_pieces(length, serve, connect, monkeypatch):
    """What is set on aiohttp's pool is used by it; ours and its connections read alike."""
    made: list[object] = []
    for kind in (Line, GuardedProtocol):
        connection_made = kind.connection_made

        def note(protocol, transport, connection_made=connection_made):
            connection_made(protocol, transport)
            made.append((type(protocol), transport.max_size, type(transport).max_size))

        monkeypatch.setattr(kind, "connection_made", note)
    await refine_prompt(await connect(await serve()), "x" * length)
    ((kind, size, before),) = made
    assert kind is (Line if length == 1 else GuardedProtocol)
    assert size == READ_SIZE < before


@pytest.mark.parametrize("length", [1, 100_000], ids=["ours", "aiohttp's"])
async def test_each_way_has_a_pool(length, serve, connect):
    """Either way, a connection that has carried a request carries the next of its kind."""
    server = await serve()
    session = await connect(server)
    for _ in range(3):
        await refine_prompt(session, "x" * length)
    assert [ask.connection for ask in server.requests] == [0, 0, 0]


@pytest.mark.parametrize("name", ["line", "lines", "opening", "exchange"])
def test_the_hot_path_uses_no_private_name(name):
    """What a small request walks through reads nothing that begins with "_" but its own."""
    tree = ast.parse((ROOM / f"{name}.py").read_text("utf-8"))
    read = {
        ast.unparse(each)
        for each in ast.walk(tree)
        if isinstance(each, ast.Attribute) and re.match(r"_[a-z]", each.attr)
    }
    assert {each for each in read if not re.fullmatch(r"self\._\w+", each)} == set()


def test_parser_errors_have_a_name_outside_of_client_error():
    """They escape aiohttp's own tree, so they are caught by their own class."""
    assert not issubclass(surface.HttpProcessingError, aiohttp.ClientError)


def test_the_known_versions_hold_the_one_that_is_tested():
    """The mend that is named is the aiohttp of this run, and the pin allows it."""
    least, beyond = re.fullmatch(r">=([0-9.]+),<([0-9.]+)", surface.KNOWN).groups()
    version = [int(part) for part in aiohttp.__version__.split(".")]
    assert [*map(int, least.split("."))] <= version < [*map(int, beyond.split("."))]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert f"aiohttp>={least},<4" in project["project"]["dependencies"]
