"""A real browser, driven by its DevTools protocol over a websocket."""

# ruff: noqa: ASYNC220, ASYNC240 - a test may wait for its files and processes

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--hide-scrollbars", "--disable-dev-shm-usage",
)  # fmt: skip
_COLOURS = (
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--force-color-profile=srgb",
)  # fmt: skip
"""A graphics card of software: without one, of a film's colours only the matrix is followed."""


@attrs.define
class Page:
    """One tab; what it logged and asked for is kept."""

    socket: aiohttp.ClientWebSocketResponse
    events: list[dict[str, Any]] = attrs.field(factory=list)
    _numbers: Any = attrs.field(factory=lambda: itertools.count(1))
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = attrs.field(factory=dict)

    async def listen(self) -> None:
        async for message in self.socket:
            content = json.loads(message.data)
            if "id" in content:
                self._answers.pop(content["id"]).set_result(content)
            else:
                self.events.append(content)

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_json({"id": number, "method": method, "params": params})
        content = await asyncio.wait_for(answer, 60)
        assert "error" not in content, content
        return content["result"]

    async def value(self, code: str) -> Any:
        """Run code in the page and return what it, or its promise, gives."""
        result = await self.send(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.events.clear()
        await self.send("Page.navigate", url=path.resolve().as_uri())
        await self.loaded()

    async def loaded(self) -> None:
        """Wait until a page is there that was navigated to."""
        for _ in range(3_000):
            if any(event["method"] == "Page.loadEventFired" for event in self.events):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the page was not loaded")

    async def view(self, width: int, height: int, scheme: str = "light") -> None:
        """Set the size of the window, and light or dark."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.send("Emulation.setEmulatedMedia", features=features)

    async def key(self, name: str, code: int = 0, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            pressed = {"text": text} if kind == "keyDown" and text else {}
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, **pressed
            )

    async def picture(self, path: Path) -> None:
        """Save what is seen."""
        shot = await self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[Any]:
        """Return every error and warning of the console."""
        kinds = {"error", "warning", "assert"}
        return [
            event["params"]
            for event in self.events
            if event["method"] == "Runtime.exceptionThrown"
            or (
                event["method"] == "Log.entryAdded"
                and event["params"]["entry"]["level"] in kinds
            )
            or (
                event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in kinds
            )
        ]  # fmt: skip

    def requests(self) -> list[str]:
        """Return every address that was asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]


@asynccontextmanager
async def browser(home: Path, *, manages_colours: bool = False) -> AsyncIterator[Page]:
    """Run a browser with one tab."""
    assert CHROMIUM is not None
    flags = _FLAGS
    if manages_colours:
        flags = (*(flag for flag in _FLAGS if flag != "--disable-gpu"), *_COLOURS)
    with (home / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [CHROMIUM, *flags, f"--user-data-dir={home / 'profile'}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        address = await _target(home / "profile" / "DevToolsActivePort")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address, max_msg_size=0) as socket,
        ):
            page = Page(socket)
            listener = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.send(f"{domain}.enable")
            yield page
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
    finally:
        process.terminate()
        process.wait(timeout=20)


async def _target(port_file: Path) -> str:
    for _ in range(3_000):
        if port_file.exists() and port_file.read_text().count("\n"):
            break
        await asyncio.sleep(0.01)
    origin = f"http://127.0.0.1:{port_file.read_text().splitlines()[0]}"
    async with aiohttp.ClientSession() as session, session.get(f"{origin}/json/list") as answer:
        targets = await answer.json()
    return next(one["webSocketDebuggerUrl"] for one in targets if one["type"] == "page")
