"""The tools of `vimmerse mcp`: what an agent may do, in one folder and within a number of calls."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import attrs
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from vimmerse_async._version import __version__
from vimmerse_async.cli.connection import connected
from vimmerse_async.cli.direct import hosted
from vimmerse_async.cli.errors import OK, explain
from vimmerse_async.cli.options import Connection
from vimmerse_async.cli.runner import Interrupts
from vimmerse_async.cli.status import status
from vimmerse_async.cli.terminal import note
from vimmerse_async.errors import VimmerseError
from vimmerse_async.models import FIELDS, PromptMode, PromptOption, PromptRequest
from vimmerse_async.routes import text_prompt
from vimmerse_async.session import VimmerseSession

_FREE = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_PAID = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
_INSTRUCTIONS = (
    "Prompts for image and video workflows. Calls cost money: plan a catalog before it is "
    "captioned, tell the person what it costs, and pass the number of calls they agreed to."
)


@attrs.frozen
class AgentOrder:
    """What was typed.

    Attributes:
        connection: Who is asked.
        allow_paid: Whether what costs money may be asked for.
        most: Calls that may be made while the server runs; None: any number.
        port: Where it listens for HTTP; None: it speaks over stdin and stdout.
    """

    connection: Connection
    allow_paid: bool
    most: int | None
    port: int | None


class Agents:
    """The tools, and what they have spent.

    Args:
        order: What was typed.
        session: Asks single questions.
        folder: No file outside of it is read or written.
    """

    def __init__(self, order: AgentOrder, session: VimmerseSession, folder: Path) -> None:
        self._order = order
        self._session = session
        self._folder = folder.resolve()
        self._spent = 0

    def server(self) -> MCPServer[Any]:
        """Return the server that offers the tools."""
        server: MCPServer[Any] = MCPServer(
            "vimmerse", instructions=_INSTRUCTIONS, version=__version__, log_level="ERROR"
        )
        for tool, how in (
            (self.refine, _PAID),
            (self.describe, _PAID),
            (self.suggest, _PAID),
            (self.caption_catalog, _PAID),
            (self.plan_catalog, _FREE),
            (self.catalog_status, _FREE),
        ):
            server.tool(annotations=how)(tool)
        return server

    async def refine(self, text: str) -> str:
        """Refine a text into a prompt. Costs one call."""
        return await self._one(PromptRequest(PromptOption.REFINE_PROMPT, text))

    async def describe(
        self, picture: str, text: str | None = None, mode: PromptMode | None = None
    ) -> str:
        """Describe a picture as a prompt. Costs one call.

        Args:
            picture: Its HTTPS URL, or a file in the server's folder, which is uploaded.
            text: A text to start from.
            mode: What the prompt is for.
        """
        if "://" not in picture:
            picture = str(self._inside(picture))
        return await self._one(PromptRequest(PromptOption.IMAGE_2_PROMPT, text, picture, mode=mode))

    async def suggest(self) -> str:
        """Suggest a prompt out of nothing. Costs one call."""
        return await self._one(PromptRequest(PromptOption.SUGGEST_PROMPT))

    async def plan_catalog(
        self, source: str, output: str, column: str | None = None, prompt: str | None = None
    ) -> dict[str, Any]:
        """Say how many calls captioning a catalog would cost. Sends nothing, costs nothing.

        Args:
            source: CSV, JSONL, Parquet or text file, or a folder of pictures.
            output: The file that captioning would write.
            column: The column with the pictures' URLs; left out: the one that has them.
            prompt: A text to start from, for every row.
        """
        events = await self._command(self._words(source, output, column, prompt), "--dry-run")
        return next(each for each in events if each["event"] == "plan")

    async def caption_catalog(
        self,
        source: str,
        output: str,
        max_calls: int,
        context: Context[Any],
        column: str | None = None,
        prompt: str | None = None,
    ) -> dict[str, Any]:
        """Caption a catalog: its rows with a prompt each, in `output`. Costs max_calls at most.

        Called again it goes on where it stopped, and pays for nothing twice.

        Args:
            source: CSV, JSONL, Parquet or text file, or a folder of pictures.
            output: Ends in .csv, .jsonl or .parquet.
            max_calls: Calls that may be made; plan_catalog says how many are needed.
            context: Of the request.
            column: The column with the pictures' URLs; left out: the one that has them.
            prompt: A text to start from, for every row.
        """
        words = self._words(source, output, column, prompt)
        most = self._take(max_calls)
        made = most
        try:
            events = await self._command(words, "--max-calls", str(most), context=context)
            end = next((each for each in events if each["event"] == "end"), None)
            made = 0 if end is None else end["calls"]
        finally:
            self._spent -= most - made
        said = [each["text"] for each in events if each["event"] in {"warning", "note"}]
        return {**(end or {}), "exit_code": events[-1]["code"], "said": said}

    def catalog_status(self, output: str) -> str:
        """Say what became of a catalog so far: done, failed, cost, how to go on. Costs nothing."""
        try:
            return "\n".join(status(str(self._inside(output))))
        except (OSError, VimmerseError) as error:
            raise ToolError(explain(error)) from None

    async def _one(self, request: PromptRequest) -> str:
        self._take(1)
        try:
            asked = await hosted(self._session, request, convert=False)
            fields = {name: getattr(asked, name) for name in FIELDS}
            return await text_prompt(self._session, **fields)
        except VimmerseError as error:
            raise ToolError(explain(error)) from None

    def _take(self, calls: int) -> int:
        """Count calls as spent before they are made, and return how many may be."""
        order = self._order
        if not (order.allow_paid or order.connection.emulator):
            raise ToolError(
                "this costs money, which the person who started the server has not allowed: "
                "vimmerse mcp --allow-paid, or --emulator to try it"
            )
        left = calls if order.most is None else min(calls, order.most - self._spent)
        if left < 1:
            raise ToolError(
                f"the {order.most:,} calls that this server may make are spent"
                if calls > 0
                else "max_calls must be 1 or more"
            )
        self._spent += left
        return left

    def _inside(self, name: str) -> Path:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise ToolError(f"{name!a:.200} lies outside of {self._folder}")
        return path

    def _words(
        self, source: str, output: str, column: str | None, prompt: str | None
    ) -> Sequence[str]:
        words = ["-o", str(self._inside(output))]
        words += [f"--column={column}"] if column is not None else []
        words += [f"--prompt={prompt}"] if prompt is not None else []
        return [*words, "--", str(self._inside(source))]

    async def _command(
        self, words: Sequence[str], *more: str, context: Context[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run `vimmerse caption` and return its events; whoever goes away stops it softly."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vimmerse_async", "caption", "--json",
            *_typed(self._order.connection), *more, *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        events: list[dict[str, Any]] = []
        try:
            async for line in process.stderr:
                event = json.loads(line)
                events.append(event)
                if context is not None and event["event"] == "progress":
                    await context.report_progress(event["done"], event["total"])
            events += map(json.loads, (await process.stdout.read()).splitlines())
        finally:
            with contextlib.suppress(ProcessLookupError):
                if process.returncode is None:
                    process.terminate()
            with anyio.CancelScope(shield=True):
                await process.wait()
        code = events[-1].get("code") if events else None
        if not any(each["event"] in {"end", "plan"} for each in events):
            said = [each["text"] for each in events if each["event"] == "warning"]
            raise ToolError(" ".join(said) or f"the command ended with {code}")
        return sorted(events, key=lambda each: each["event"] == "exit")


async def serve(order: AgentOrder, _interrupts: Interrupts) -> int:
    """Serve until the agent goes away or a signal comes, and return the exit code."""
    async with connected(order.connection) as link:
        server = Agents(order, link.session, Path.cwd()).server()
        if order.port is None:
            await server.run_stdio_async()
        else:
            note(f"agents connect to http://127.0.0.1:{order.port}/mcp; Ctrl-C ends it")
            await server.run_streamable_http_async(host="127.0.0.1", port=order.port)
    return OK


def _typed(connection: Connection) -> list[str]:
    """Return the words that say a connection again."""
    words = ["--emulator"] if connection.emulator else []
    words += ["--trust-env"] if connection.trust_env else []
    for name in ("base_url", "api_key_file", "limit", "timeout", "ca_file", "client_cert"):
        value = getattr(connection, name)
        words += [] if value is None else [f"--{name.replace('_', '-')}={value}"]
    return words
