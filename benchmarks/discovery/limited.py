"""One limit of PyPI's, with its default refusal: python limited.py NAME PORT STATUS.

20 requests a second, or 8 in flight; each answer takes 0.3 to 1 s.
"""

import asyncio
import random
import sys
import time
from typing import Any

ANSWER = "a caption"


def seconds() -> float:
    """How long an answer takes."""
    return random.uniform(0.3, 1.0)


def slowapi(status: int) -> Any:
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
    app.post("/{path:path}")(limiter.limit("20/second")(ask))
    return app


def uvicorn_limit(status: int) -> Any:
    """Uvicorn's own limit, before an application that has none."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await asyncio.sleep(seconds())
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'"a caption"'})

    return app


def django(status: int) -> Any:
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
            if status == 429:
                return HttpResponse("Too many requests", status=429)
            raise Ratelimited
        await asyncio.sleep(seconds())
        return JsonResponse(ANSWER, safe=False)

    globals()["urlpatterns"] = [re_path("", csrf_exempt(ask))]
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


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


def main() -> None:
    name, port, status = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if name == "flask":
        flask(port)
        return
    import uvicorn

    app = {"slowapi": slowapi, "uvicorn": uvicorn_limit, "django": django}[name](status)
    limit = 8 if name == "uvicorn" else None
    uvicorn.run(
        app, host="127.0.0.1", port=port, log_level="critical", limit_concurrency=limit,
        lifespan="off",
    )  # fmt: skip


if __name__ == "__main__":
    main()
