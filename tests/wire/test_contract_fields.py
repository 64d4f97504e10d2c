"""A question's fields are written down in several places; a field that one forgot is named here."""

import inspect
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs
import pytest
from scripted_server import ScriptedServer

from vimmerse_async import PromptRequest, legacy, text_prompt
from vimmerse_async.emulator.api.contract import TEXT_ROUTES, Question
from vimmerse_async.emulator.api.legacy import TEXT_FORM
from vimmerse_async.models import FIELDS

EMULATORS = json.loads(files("vimmerse_async.emulator").joinpath("openapi.json").read_bytes())
STRICT = json.loads(Path(__file__).with_name("contract.openapi.json").read_bytes())
GENERAL = "/v2/text/prompt"
SAMPLES = {"option": "InspireMe", "mode": "scene"}


def body_of(document: dict[str, Any], path: str) -> set[str]:
    """Return the fields of a route's body in an OpenAPI document."""
    (content,) = document["paths"][path]["post"]["requestBody"]["content"].values()
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema["properties"])


def arguments_of(function: Any) -> set[str]:
    """Return what a route function takes of a question."""
    names = set(inspect.signature(function).parameters) - {"session", "timeout"}
    return {name for name in names if not name.endswith("_file")}


OTHERS = {"session", "timeout", "key", "tag", "APIError", "InvalidRequestError"}


def described_in(thing: Any) -> set[str]:
    """Return the fields that a docstring describes."""
    return set(re.findall(r"^    (\w+): ", inspect.getdoc(thing) or "", re.MULTILINE)) - OTHERS


PLACES = {
    "models.py: the docstring of PromptRequest": described_in(PromptRequest),
    "routes.py: the arguments of text_prompt": arguments_of(text_prompt),
    "routes.py: the docstring of text_prompt": described_in(text_prompt),
    "emulator/api/contract.py: Question": {each.name for each in attrs.fields(Question)},
    "emulator/openapi.json": body_of(EMULATORS, GENERAL),
    "tests/wire/contract.openapi.json": body_of(STRICT, GENERAL),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_list_has_the_fields_of_a_question(place):
    """What `PromptRequest` holds, its documents, the emulator and the strict server know."""
    assert PLACES[place] == set(FIELDS)


async def test_every_field_goes_out():
    """Each field is sent under its own name, by the route function and by a `PromptRequest`."""
    given = {name: SAMPLES.get(name, f"https://a.example/{name}") for name in FIELDS}
    async with ScriptedServer() as server, server.session() as session:
        await text_prompt(session, **given)
        assert [request.fields for request in server.requests] == [given]


@pytest.mark.parametrize("path", ["/v2/text/refine-prompt", "/v2/text/image-2-prompt"])
def test_the_short_routes_have_the_same_fields_everywhere(path):
    """What the emulator reads, its document says, and the strict one."""
    assert set(TEXT_ROUTES[path].fields) == body_of(EMULATORS, path) == body_of(STRICT, path)


def test_the_legacy_route_has_the_same_fields_everywhere():
    """What the form route takes is the same in the client, the emulator and the strict document."""
    strict = {name for name in body_of(STRICT, "/text/prompt") if not name.endswith("_file")}
    assert arguments_of(legacy.text_prompt) == strict == set(TEXT_FORM.fields)
