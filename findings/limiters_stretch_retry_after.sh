#!/usr/bin/env bash
# Behind Flask-Limiter or slowapi an app's own `Retry-After: 2` becomes a day, with 999 of 1,000 calls left.
#
# The header goes onto every answer, also onto a 200, and says when the window ends; one that is there already is only ever raised to it. Where it matters: a `Retry-After` behind such a gateway is no order to wait that long, so this package holds itself to a cap and asks again.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet flask==3.1.3 flask-limiter==4.1.1 slowapi==0.1.10 starlette==1.10.0 httpx==0.28.1
venv/bin/pip list 2>/dev/null | grep -iE '^(flask-limiter|slowapi) '
venv/bin/python - <<'PYTHON'
import asyncio

import flask
import flask_limiter
import httpx
import slowapi
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

RULE = "1000/day"

classic = flask.Flask("classic")
guard = flask_limiter.Limiter(
    lambda: "somebody", app=classic, headers_enabled=True, storage_uri="memory://"
)


@classic.get("/fine")
@guard.limit(RULE)
def classic_fine():
    return "fine"


@classic.get("/busy")
@guard.limit(RULE)
def classic_busy():
    return "busy", 503, {"Retry-After": "2"}


limiter = slowapi.Limiter(key_func=lambda: "somebody", headers_enabled=True)


@limiter.limit(RULE)
async def fine(request):
    return Response("fine")


@limiter.limit(RULE)
async def busy(request):
    return Response("busy", 503, {"Retry-After": "2"})


modern = Starlette(routes=[Route("/fine", fine), Route("/busy", busy)])
modern.state.limiter = limiter


def told(answer):
    names = ("X-RateLimit-Remaining", "Retry-After")
    return answer.status_code, *(int(answer.headers[name]) for name in names)


async def ask():
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(modern), base_url="http://localhost"
    ) as client:
        return [told(await client.get(path)) for path in ("/fine", "/busy")]


seen = {
    "flask-limiter": [told(classic.test_client().get(path)) for path in ("/fine", "/busy")],
    "slowapi": asyncio.run(ask()),
}
for name, answers in seen.items():
    for status, left, wait in answers:
        print(f"{name}: {status}, {left} of 1000 left, Retry-After: {wait}")
        assert left == 999 and wait > 86_000, "the app's own two seconds are kept"
    assert [status for status, _, _ in answers] == [200, 503]
PYTHON
# Seen:
#   Flask-Limiter     4.1.1
#   slowapi           0.1.10
#   flask-limiter: 200, 999 of 1000 left, Retry-After: 86400
#   flask-limiter: 503, 999 of 1000 left, Retry-After: 86400
#   slowapi: 200, 999 of 1000 left, Retry-After: 86400
#   slowapi: 503, 999 of 1000 left, Retry-After: 86400
