"""The form-data routes: the same work as v2, each answer wrapped in `{"data": …}`."""

from collections.abc import Mapping
from functools import partial
from mimetypes import guess_type

from aiohttp import web

from vimmerse_async.emulator.api.app import Task, Work
from vimmerse_async.emulator.api.contract import (
    Question,
    TextRoute,
    ask,
    is_https_url,
)
from vimmerse_async.emulator.api.forms import ParsedForm, read_form
from vimmerse_async.emulator.api.reply import (
    EmulatorReply,
    as_json,
    problem,
    refused,
    unprocessable,
)
from vimmerse_async.emulator.api.v2 import Studio
from vimmerse_async.emulator.media.hosting import Incoming

TEXT_FORM = TextRoute(
    fields=("image_url", "image2_url", "video_url", "prompt", "option", "mode")
)  # what is new comes to v2 only
_TEXT_FILES: Mapping[str, tuple[str, str]] = {
    "image_file": ("image", "image_url"),
    "image2_file": ("image", "image2_url"),
    "video_file": ("video", "video_url"),
}
"""Field of a file to its family and the URL field that it stands in for."""

_UPLOADS: Mapping[str, tuple[str, str | None]] = {
    "/image": ("image_file", None),
    "/video": ("video_file", "video_url"),
    "/audio": ("audio_file", "audio_url"),
}
"""Path to the field of the file, and the field of a URL that is taken instead."""


def add_legacy(studio: Studio) -> None:
    """Serve the legacy routes."""
    studio.app.add_metered("POST", "/text/prompt", partial(_read_text, studio))
    for path, (field, url_field) in _UPLOADS.items():
        read = partial(_read_upload, studio, path.strip("/"), field, url_field)
        studio.app.add_metered("POST", path, read)


async def _read_text(studio: Studio, request: web.BaseRequest) -> Task:
    families = {field: family for field, (family, _) in _TEXT_FILES.items()}
    form = await read_form(request, studio.hosting, families, studio.patience)
    return Task(
        form.digest,
        partial(_check_text, studio, form),
        form.as_json(),
        partial(studio.forget, form),
    )


def _check_text(studio: Studio, form: ParsedForm) -> Work:
    given = {name: text for name, text in form.fields.items() if text}
    files = [file for file in form.files.values() if file.size]
    for field, incoming in form.files.items():
        if incoming.size:
            given[_TEXT_FILES[field][1]] = studio.hosting.url_of(incoming)
    return partial(_write, studio, ask(TEXT_FORM, given), files)


async def _write(studio: Studio, question: Question, files: list[Incoming]) -> EmulatorReply:
    for incoming in files:
        await studio.host(incoming)
    return as_json({"data": await studio.write(question)})


async def _read_upload(
    studio: Studio, family: str, field: str, url_field: str | None, request: web.BaseRequest
) -> Task:
    form = await read_form(request, studio.hosting, {field: family}, studio.patience)
    check = partial(_check_upload, studio, field, url_field, form)
    return Task(form.digest, check, form.as_json(), partial(studio.forget, form))


def _check_upload(studio: Studio, field: str, url_field: str | None, form: ParsedForm) -> Work:
    incoming = form.files.get(field)
    if incoming is not None and incoming.size:
        incoming.kind()
        return partial(_host, studio, incoming)
    url = form.fields.get(url_field, "") if url_field else ""
    if not url:
        raise unprocessable([problem(["body", field], "Field required", "missing")])
    if not is_https_url(url):
        raise refused(400, f"{url_field} must be an HTTPS URL")
    return partial(_refer, studio, url)


async def _host(studio: Studio, incoming: Incoming) -> EmulatorReply:
    return as_json({"data": await studio.host(incoming)})


async def _refer(studio: Studio, url: str) -> EmulatorReply:
    mime_type = guess_type(url.partition("?")[0])[0] or "application/octet-stream"
    return as_json({"data": studio.hosting.refer(url, mime_type)})
