"""The v2 routes: four that write prompts, two that take files, and what stands beside them."""

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import attrs
from aiohttp import web

from vimmerse_async.emulator.api.app import App, Task, Work
from vimmerse_async.emulator.api.contract import TEXT_ROUTES, Question, TextRoute, read_question
from vimmerse_async.emulator.api.forms import ParsedForm, read_bytes, read_form
from vimmerse_async.emulator.api.reply import (
    EmulatorReply,
    as_json,
    problem,
    refused,
    unprocessable,
)
from vimmerse_async.emulator.author.author import Author
from vimmerse_async.emulator.author.eyes import Eyes
from vimmerse_async.emulator.media.hosting import Hosting, Incoming

UPLOADS: Mapping[str, tuple[str, str]] = {
    "/v2/image": ("image_file", "image"),
    "/v2/video": ("video_file", "video"),
}
"""Path to the form's field and the family of file that it takes."""


@attrs.frozen
class Studio:
    """What the routes work with.

    Attributes:
        app: Serves them.
        author: Answers questions.
        eyes: Look at pictures.
        hosting: Keeps files.
        patience: Seconds that a body may stop coming.
    """

    app: App
    author: Author
    eyes: Eyes
    hosting: Hosting
    patience: float

    async def write(self, question: Question) -> str:
        """Return the prompt that a question asks for."""
        return await self.author.answer(question, self.app.account)

    def forget(self, form: ParsedForm) -> None:
        """Drop the files of a form whose work was not done."""
        for incoming in form.files.values():
            self.hosting.forget(incoming)

    async def host(self, incoming: Incoming) -> dict[str, Any]:
        """Host a file and return its asset; a picture must be one that can be looked at.

        Raises:
            RefusedError: 400, the picture is broken or too large to be unpacked.
        """
        if incoming.kind().family == "image":
            await self.eyes.see(incoming.path)
        return self.hosting.keep(incoming)


def add_v2(studio: Studio) -> None:
    """Serve the v2 routes, assets, hosted media and the health check."""
    app = studio.app
    for path, route in TEXT_ROUTES.items():
        app.add_metered("POST", path, partial(_read_text, studio, route))
    for path, (field, family) in UPLOADS.items():
        app.add_metered("POST", path, partial(_read_upload, studio, field, family))
    app.add_metered("GET", "/asset/", partial(_read_asset, studio), route="/asset/{id}")
    app.add("GET", "/media/", partial(_media, studio))
    app.add("GET", "/health", _health)


async def _read_text(studio: Studio, route: TextRoute, request: web.BaseRequest) -> Task:
    body = await read_bytes(request, studio.patience)
    check = partial(_check_text, studio, route, request.headers.get("Content-Type", ""), body)
    return Task(blake2b(body, digest_size=8).digest(), check, body)


def _check_text(studio: Studio, route: TextRoute, content_type: str, body: bytes) -> Work:
    return partial(_write, studio, read_question(route, content_type, body))


async def _write(studio: Studio, question: Question) -> EmulatorReply:
    return as_json(await studio.write(question))


async def _read_upload(studio: Studio, field: str, family: str, request: web.BaseRequest) -> Task:
    form = await read_form(request, studio.hosting, {field: family}, studio.patience)
    check = partial(_check_upload, studio, field, form)
    return Task(form.digest, check, form.as_json(), partial(studio.forget, form))


def _check_upload(studio: Studio, field: str, form: ParsedForm) -> Work:
    incoming = form.files.get(field)
    if incoming is None:
        raise unprocessable([problem(["body", field], "Field required", "missing")])
    incoming.kind()
    return partial(_host, studio, incoming)


async def _host(studio: Studio, incoming: Incoming) -> EmulatorReply:
    return as_json(await studio.host(incoming))


async def _read_asset(studio: Studio, request: web.BaseRequest) -> Task:
    identity = request.path.rpartition("/")[2]
    digest = blake2b(identity.encode(errors="replace"), digest_size=8).digest()
    return Task(digest, partial(_check_asset, studio, identity))


def _check_asset(studio: Studio, identity: str) -> Work:
    hosted = studio.hosting.find(identity)
    if hosted is None:
        raise refused(404, "there is no asset of this id")
    return partial(_show, hosted.asset)


async def _show(asset: Mapping[str, Any]) -> EmulatorReply:
    return as_json(asset)


async def _media(studio: Studio, request: web.BaseRequest) -> web.StreamResponse:
    hosted = studio.hosting.find_file(request.path.rpartition("/")[2])
    if hosted is None or hosted.path is None or hosted.kind is None:
        raise refused(404, "there is no such file")
    headers = {"Content-Type": hosted.kind.mime_type, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(hosted.path, status=HTTPStatus.OK, headers=headers)


async def _health(_: web.BaseRequest) -> EmulatorReply:
    return as_json({"status": "ok"})
