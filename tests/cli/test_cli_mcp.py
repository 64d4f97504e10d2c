"""What an agent may do, through the protocol's own client and a real server process."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from vimmerse_async.emulator import Emulator

RUN = [sys.executable, "-m", "vimmerse_async", "mcp"]


@asynccontextmanager
async def agent(environment: Mapping[str, str], place: Path, *words: str) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=RUN[0], args=[*RUN[1:], *words], env=dict(environment), cwd=str(place)
    )
    async with Client(command) as client:
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """Return what a tool said: its value, or its error as a text."""
    result = await client.call_tool(tool, arguments)
    text = "".join(each.text for each in result.content)
    if result.is_error:
        return text
    structured = result.structured_content
    return structured.get("result", structured) if structured is not None else text


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


async def test_a_catalog_is_planned_and_captioned(
    environment: dict[str, str], place: Path, emulator: Emulator
) -> None:
    """A plan costs nothing; captioning makes the calls that were agreed to, and goes on later."""
    lines = [f"https://a.example/{number}.png,{number}" for number in range(8)]
    (place / "in.csv").write_text("image,n\n" + "\n".join(lines) + "\n")
    async with agent(environment, place, "--allow-paid", "--max-calls", "10") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {
            "refine", "describe", "suggest", "plan_catalog", "caption_catalog", "catalog_status",
        }  # fmt: skip
        plan = await called(client, "plan_catalog", source="in.csv", output="out.csv")
        assert (plan["calls_needed"], len(emulator.requests)) == (8, 0)
        some = await called(
            client, "caption_catalog", source="in.csv", output="out.csv", max_calls=3
        )
        assert (some["complete"], some["calls"], some["exit_code"]) == (False, 3, 3)
        assert "go on" in await called(client, "catalog_status", output="out.csv")
        rest = await called(
            client, "caption_catalog", source="in.csv", output="out.csv", max_calls=99
        )
        assert (rest["complete"], rest["calls"], rest["known"]) == (True, 5, 3)
        assert "red" in await called(client, "refine", text="a red fox")
        assert await called(client, "suggest")
        assert "10 calls that this server may make are spent" in await called(client, "suggest")
    assert len(emulator.requests) == 10
    assert len((place / "out.csv").read_text().splitlines()) == 9


async def test_nothing_paid_unless_it_is_allowed(
    environment: dict[str, str], place: Path, emulator: Emulator
) -> None:
    """Without --allow-paid what costs money is refused in words, and a plan still works."""
    (place / "in.txt").write_text("https://a.example/1.png\n")
    async with agent(environment, place) as client:
        for tool, arguments in (
            ("suggest", {}),
            ("refine", {"text": "a fox"}),
            ("describe", {"picture": "https://a.example/1.png"}),
            ("caption_catalog", {"source": "in.txt", "output": "o.csv", "max_calls": 1}),
        ):
            assert "vimmerse mcp --allow-paid" in await called(client, tool, **arguments)
        plan = await called(client, "plan_catalog", source="in.txt", output="o.csv")
        assert plan["calls"] == 1
    assert not emulator.requests


async def test_an_agent_stays_in_its_folder(
    environment: dict[str, str], place: Path, emulator: Emulator
) -> None:
    """No file outside of the folder is read or written; a mistake comes back as words."""
    (place / "here").mkdir()
    (place / "in.txt").write_text("https://a.example/1.png\n")
    async with agent(environment, place / "here", "--allow-paid") as client:
        for source, output in (("../in.txt", "o.csv"), ("in.txt", str(place / "o.csv"))):
            said = await called(
                client, "caption_catalog", source=source, output=output, max_calls=1
            )
            assert "lies outside of" in said
        assert "lies outside of" in await called(client, "describe", picture="/etc/passwd")
        said = await called(client, "plan_catalog", source="--help", output="o.csv")
        assert "No such file" in said
    assert not emulator.requests


async def test_over_http(environment: dict[str, str], place: Path) -> None:
    """--http PORT serves the same tools on this machine, and no page of another origin."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [*RUN, "--emulator", "--http", str(port)]
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, cwd=place, stderr=asyncio.subprocess.PIPE
    )
    try:
        for _ in range(600):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.1)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
        writer.write(
            f"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}".encode()
        )
        refused = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert refused.split()[1] in {b"421", b"403"}
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            assert await called(client, "suggest")
    finally:
        process.terminate()
        await process.communicate()
