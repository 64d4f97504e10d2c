#!/usr/bin/env bash
# A Litestar route that says it sends JSON and returns a text sends the text without its quotes, which is no JSON.
#
# Lists, numbers and dicts are encoded; a `str` goes out as it is under `application/json`, where FastAPI and Flask send it in quotes. A text that happens to be a number or `true` is even read as one. Where it matters: a gateway or a stand-in for a text API that is written so answers 200 with what no client can read; this package fails such rows with the body's first words, and `json.dumps` in the route mends it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet litestar==2.25.0 fastapi==0.165.0 flask==3.1.3 httpx==0.28.1
venv/bin/pip list 2>/dev/null | grep -iE '^(litestar|fastapi|flask) '
venv/bin/python - <<'PYTHON'
import asyncio
import json

import fastapi
import flask
import httpx
from litestar import Litestar, MediaType, get

TEXTS = ("a caption", "1080", ["a caption"])


def litestar(value):
    @get("/", media_type=MediaType.JSON)
    async def ask() -> object:
        return value

    return Litestar([ask], logging_config=None)


def fast(value):
    app = fastapi.FastAPI()
    app.get("/")(lambda: value)
    return app


async def body(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        answer = await client.get("/")
    assert answer.headers["content-type"] == "application/json", answer.headers
    return answer.text


def read(text):
    try:
        return json.loads(text)
    except ValueError:
        return "no JSON"


classic = flask.Flask("classic")
for value in TEXTS:
    with classic.app_context():
        quoted = flask.jsonify(value).get_data(as_text=True).strip()
    sent = {
        "litestar": asyncio.run(body(litestar(value))),
        "fastapi": asyncio.run(body(fast(value))),
        "flask": quoted,
    }
    print(f"{value!r}:", ", ".join(f"{name} {text} ({read(text)!r})" for name, text in sent.items()))
    assert read(sent["fastapi"]) == read(sent["flask"]) == value
    assert read(sent["litestar"]) == {"a caption": "no JSON", "1080": 1080}.get(str(value), value)
PYTHON
# Seen:
#   fastapi           0.165.0
#   Flask             3.1.3
#   litestar          2.25.0
#   'a caption': litestar a caption ('no JSON'), fastapi "a caption" ('a caption'), flask "a caption" ('a caption')
#   '1080': litestar 1080 (1080), fastapi "1080" ('1080'), flask "1080" ('1080')
#   ['a caption']: litestar ["a caption"] (['a caption']), fastapi ["a caption"] (['a caption']), flask ["a caption"] (['a caption'])
