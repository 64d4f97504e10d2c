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
    assert schemas["Mode"]["enum"] == [*CHOICES["mode"], None]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.from_regex(URL_PATTERN.rstrip("$"), fullmatch=True))
def test_every_url_of_the_schema_is_taken(url):
    """What the schema promises is accepted."""
    route = TEXT_ROUTES["/v2/text/image-2-prompt"]
    body = json.dumps({"image_url": url}).encode()
    assert read_question(route, JSON, body).image_url == url


def run_schemathesis(tmp_path: Path, *options: str) -> int:
    """Return how many cases were generated, all of which passed."""
    hooks = Path(__file__).with_name("schemathesis_hooks.py")
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": hooks.stem,
        "PYTHONPATH": os.pathsep.join([str(hooks.parent), os.environ.get("PYTHONPATH", "")]),
        "NO_COLOR": "1",
    }
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
            env=environment,
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
