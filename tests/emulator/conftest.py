"""An emulator and a bare HTTP client: the SDK's own client is not judged here."""

import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import pytest
from PIL import Image

from vimmerse_async.emulator import Emulator


def encode_picture(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (96, 64), colour).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return encode_picture


@attrs.frozen
class Answer:
    status: int
    value: Any
    headers: Any


@attrs.frozen
class Caller:
    emulator: Emulator
    http: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        options.setdefault("headers", {"X-Api-Key": self.emulator.key})
        async with self.http.request(method, self.emulator.url + path, **options) as reply:
            body = await reply.read()
            value: Any = body
            if reply.content_type == "application/json":
                with contextlib.suppress(ValueError):
                    value = json.loads(body)
            return Answer(reply.status, value, reply.headers)

    async def post(self, path: str, fields: Any = None, **options: Any) -> Answer:
        return await self.ask("POST", path, json=fields, **options)

    async def upload(self, path: str, field: str, data: bytes, **options: Any) -> Answer:
        form = aiohttp.FormData()
        form.add_field(field, io.BytesIO(data), filename="../../etc/passwd.png")
        return await self.ask("POST", path, data=form, **options)


@pytest.fixture
async def call() -> AsyncIterator[Callable[..., Any]]:
    """Start an emulator with these options and return a caller of it."""
    async with aiohttp.ClientSession() as http:
        running: list[Emulator] = []

        async def start(**options: Any) -> Caller:
            emulator = Emulator(**options)
            await emulator.__aenter__()
            running.append(emulator)
            return Caller(emulator, http)

        yield start
        for emulator in running:
            await emulator.__aexit__(None, None, None)
