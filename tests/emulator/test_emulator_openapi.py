"""What the server says of itself is what it does, for requests that nobody thought of."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vimmerse_async.emulator import Emulator
from vimmerse_async.emulator.api.contract import (
    ALL_FIELDS,
    CHOICES,
    TEXT_ROUTES,
    URL_FIELDS,
    URL_PATTERN,
    WORDS_PATTERN,
    read_question,
)
from vimmerse_async.emulator.api.reply import JSON, RefusedError, as_json

SCHEMA = json.loads(files("vimmerse_async.emulator").joinpath("openapi.json").read_bytes())
OPTIONS = st.sampled_from([*CHOICES["option"], "refine", ""])
MODES = st.sampled_from([*CHOICES["mode"], "SCENE"])
URLS = st.builds("{}{}".format, st.sampled_from(["https://a.b/", "http://", ""]), st.text())
ODD = st.none() | st.integers() | st.booleans() | st.lists(st.text(), max_size=2)
FIELDS = {"option": OPTIONS, "mode": MODES, "prompt": st.text()} | dict.fromkeys(URL_FIELDS, URLS)
BODIES = st.fixed_dictionaries(
    {}, optional={name: FIELDS.get(name, ODD) | ODD for name in ALL_FIELDS}
)


@given(st.sampled_from(sorted(TEXT_ROUTES)), BODIES | ODD)
def test_G18_every_request_is_a_question_or_a_documented_refusal(path, body):
    """Whatever JSON comes, it is understood, or refused with a status that the schema names."""
    documented = SCHEMA["paths"][path]["post"]["responses"]
    try:
        question = read_question(TEXT_ROUTES[path], JSON, json.dumps(body).encode())
    except RefusedError as refusal:
        reply = refusal.reply
    else:
        reply = as_json(question.task)
    assert str(reply.status) in documented
    assert (reply.status == 200) is isinstance(json.loads(reply.body), str)


def test_the_schema_and_the_checks_share_their_expressions():
    """What is promised and what is checked cannot drift apart."""
    schemas = SCHEMA["components"]["schemas"]
    assert schemas["Url"]["pattern"] == URL_PATTERN
    assert schemas["Words"]["pattern"] == WORDS_PATTERN
    assert schemas["Mode"]["enum"] == list(CHOICES["mode"])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.from_regex(URL_PATTERN.rstrip("$"), fullmatch=True))
def test_every_url_of_the_schema_is_taken(url):
    """What the schema promises is accepted."""
    route = TEXT_ROUTES["/v2/text/image-2-prompt"]
    body = json.dumps({"image_url": url}).encode()
    assert read_question(route, JSON, body).image_url == url


def parts(schema, inside):
    """Yield every schema below this one, and whether it has no name of its own."""
    yield schema, inside
    for part in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        yield from parts(part, True)
    if "items" in schema:
        yield from parts(schema["items"], True)


def contents():
    for path in SCHEMA["paths"].values():
        for operation in path.values():
            yield from operation.get("requestBody", {}).get("content", {}).values()
            for response in operation["responses"].values():
                yield from response.get("content", {}).values()
    for response in SCHEMA["components"]["responses"].values():
        yield from response["content"].values()


def test_generated_clients_find_a_short_name_for_everything():
    """What generators make a class of has a name of its own, and what they read is complete."""
    schemas = SCHEMA["components"]["schemas"]
    assert max(map(len, schemas)) <= 16
    assert all(re.fullmatch("[A-Z][A-Za-z0-9]+", name) for name in schemas)
    found = [part for schema in schemas.values() for part in parts(schema, False)]
    found += [part for content in contents() for part in parts(content["schema"], True)]
    for schema, nameless in found:
        assert "title" not in schema
        assert not (nameless and ("properties" in schema or "enum" in schema)), schema
        assert schema.get("type") != "array" or "items" in schema, schema
        if "enum" in schema or "const" in schema:
            assert schema["type"] == "string"
    operations = [each for path in SCHEMA["paths"].values() for each in path.values()]
    assert all(re.fullmatch("[a-z]+[A-Za-z0-9]+", each["operationId"]) for each in operations)
    assert {tag for each in operations for tag in each["tags"]} == {"text", "files", "server"}


def run_schemathesis(tmp_path: Path, *options: str) -> int:
    """Return how many cases were generated, all of which passed."""
    hooks = {"SCHEMATHESIS_HOOKS": "vimmerse_async.testing.schemathesis", "NO_COLOR": "1"}
    with Emulator(unknown_media="placeholder") as emulator:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "run",
                f"{emulator.url}/openapi.json",
                f"--header=X-Api-Key: {emulator.key}",
                *options,
                "--seed=1",
            ],
            cwd=tmp_path,
            env=os.environ | hooks,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    generated = re.search(r"(\d+) generated, \1 passed", report)
    assert generated, report
    return int(generated[1])


def test_G15_schemathesis_finds_nothing(tmp_path):
    """A hundred generated cases and more, all checks, no failure."""
    pytest.importorskip("schemathesis")
    assert run_schemathesis(tmp_path, "--phases=fuzzing", "--max-examples=15") >= 100


@pytest.mark.full
def test_schemathesis_finds_nothing_in_a_thousand_cases(tmp_path):
    """The full figure: at least 1,000 generated cases, all checks, no failure."""
    pytest.importorskip("schemathesis")
    assert run_schemathesis(tmp_path, "--max-examples=70") >= 1_000
