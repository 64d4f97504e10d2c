"""A Django application that refines texts: `uvicorn django_app:app --lifespan on`."""

from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, JsonResponse
from django.urls import path

from vimmerse_async import InvalidRequestError, VimmerseError, VimmerseSession, refine_prompt

session = VimmerseSession()  # opened below: Django itself has no lifespan


async def refine(request: HttpRequest) -> JsonResponse:
    try:
        return JsonResponse({"prompt": await refine_prompt(session, request.GET["text"])})
    except VimmerseError as error:
        status = 422 if isinstance(error, InvalidRequestError) else 502
        return JsonResponse({"error": str(error)}, status=status)


urlpatterns = [path("refine", refine)]
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None)
django.setup()
views = ASGIHandler()  # in a project: get_asgi_application()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "lifespan":
        await views(scope, receive, send)
        return
    async with session:
        await receive()  # until the server starts
        await send({"type": "lifespan.startup.complete"})
        await receive()  # until it stops
    await send({"type": "lifespan.shutdown.complete"})
