"""One limit of PyPI's, with its default refusal: python limited.py NAME PORT STATUS [RATE].

20 requests a second, unless told, or 8 in flight; each answer takes 0.3 to 1 s.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

ANSWER = "a caption"


def seconds() -> float:
    """How long an answer takes."""
    return random.uniform(0.3, 1.0)


def slowapi(status: str) -> Any:
    """Slowapi behind FastAPI."""
    from fastapi import FastAPI, Request
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded

    app, limiter = FastAPI(), Limiter(key_func=lambda: "one")
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    async def ask(request: Request, path: str) -> str:
        await asyncio.sleep(seconds())
        return ANSWER

    ask.__annotations__["request"] = Request
    app.post("/{path:path}")(limiter.limit(sys.argv[4] if len(sys.argv) > 4 else "20/second")(ask))
    return app


def plain(status: str = "") -> Any:
    """No limit: uvicorn and granian have their own."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await asyncio.sleep(seconds())
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'"a caption"'})

    return app


def django(status: str) -> Any:
    """django-ratelimit, whose refusal is a 403 unless somebody turns it into a 429."""
    from django.conf import settings

    cache = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.configure(
        ROOT_URLCONF=__name__, SECRET_KEY="x", CACHES=cache, ALLOWED_HOSTS=["*"],
        SILENCED_SYSTEM_CHECKS=["django_ratelimit.E003", "django_ratelimit.W001"],
    )  # fmt: skip
    import django as framework

    framework.setup()
    from django.http import HttpResponse, JsonResponse
    from django.urls import re_path
    from django.views.decorators.csrf import csrf_exempt
    from django_ratelimit.core import is_ratelimited
    from django_ratelimit.exceptions import Ratelimited

    async def ask(request: Any) -> Any:
        if is_ratelimited(request, group="one", key=lambda *_: "one", rate="20/s", increment=True):
            if status == "429":
                return HttpResponse("Too many requests", status=429)
            raise Ratelimited
        await asyncio.sleep(seconds())
        return JsonResponse(ANSWER, safe=False)

    globals()["urlpatterns"] = [re_path("", csrf_exempt(ask))]
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def fastapi(status: str) -> Any:
    """fastapi-limiter, as a dependency."""
    from fastapi import Depends, FastAPI
    from fastapi_limiter.depends import RateLimiter
    from pyrate_limiter import Duration, Limiter, Rate

    app = FastAPI()
    limit = RateLimiter(limiter=Limiter(Rate(20, Duration.SECOND)))

    @app.post("/{path:path}", dependencies=[Depends(limit)])
    async def ask(path: str) -> str:
        await asyncio.sleep(seconds())
        return ANSWER

    return app


def litestar(status: str) -> Any:
    """Litestar's own middleware."""
    from litestar import Litestar, post
    from litestar.middleware.rate_limit import RateLimitConfig

    @post("/{rest:path}", status_code=200, media_type="application/json")
    async def ask() -> str:
        await asyncio.sleep(seconds())
        return json.dumps(ANSWER)

    limit = RateLimitConfig(rate_limit=("second", 20))
    return Litestar([ask], middleware=[limit.middleware])


def quart(status: str) -> Any:
    """quart-rate-limiter, on uvicorn."""
    from datetime import timedelta

    from quart import Quart, jsonify
    from quart_rate_limiter import RateLimiter, rate_limit

    app = Quart("limited")
    RateLimiter(app)

    @app.post("/<path:path>")
    @rate_limit(20, timedelta(seconds=1))
    async def ask(path: str) -> Any:
        await asyncio.sleep(seconds())
        return jsonify(ANSWER)

    return app


def drf(port: int) -> None:
    """Django REST framework, on Werkzeug's threads."""
    from django.conf import settings

    cache = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    throttles = {
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": "20/s"},
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    }
    settings.configure(
        ROOT_URLCONF=__name__, SECRET_KEY="x", CACHES=cache, ALLOWED_HOSTS=["*"],
        REST_FRAMEWORK=throttles,
    )  # fmt: skip
    import django as framework

    framework.setup()
    from django.core.wsgi import get_wsgi_application
    from django.urls import re_path
    from rest_framework.decorators import api_view
    from rest_framework.response import Response
    from werkzeug.serving import run_simple

    @api_view(["POST"])
    def ask(request: Any) -> Any:
        time.sleep(seconds())
        return Response(ANSWER)

    globals()["urlpatterns"] = [re_path("", ask)]
    run_simple("127.0.0.1", port, get_wsgi_application(), threaded=True)


def granian(port: int) -> None:
    """Granian's own limit of what is worked on."""
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        "limited:plain", "127.0.0.1", port, interface=Interfaces.ASGI, factory=True, backpressure=8,
        log_enabled=False,
    ).serve()  # fmt: skip


def flask(port: int) -> None:
    """Flask-Limiter, on Werkzeug's threads."""
    from flask import Flask, jsonify
    from flask_limiter import Limiter

    app = Flask("limited")
    limiter = Limiter(lambda: "one", app=app, storage_uri="memory://")

    @app.post("/<path:path>")
    @limiter.limit("20/second")
    def ask(path: str) -> Any:
        time.sleep(seconds())
        return jsonify(ANSWER)

    app.run("127.0.0.1", port, threaded=True)


APPS = {
    "django": django, "fastapi": fastapi, "litestar": litestar, "quart": quart, "slowapi": slowapi,
    "uvicorn": plain,
}  # fmt: skip
SERVERS = {"drf": drf, "flask": flask, "granian": granian}


def main() -> None:
    name, port, status = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if name in SERVERS:
        SERVERS[name](port)
        return
    import uvicorn

    limit = 8 if name == "uvicorn" else None
    uvicorn.run(
        APPS[name](status), host="127.0.0.1", port=port, log_level="critical",
        limit_concurrency=limit, lifespan="off",
    )  # fmt: skip


if __name__ == "__main__":
    main()
