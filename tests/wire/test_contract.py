"""A server made from a strict OpenAPI file accepts everything that the client sends."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict
from wire_kit import both_ways

from vimmerse_async import (
    BadRequestError,
    PromptMode,
    PromptOption,
    PromptRequest,
    VimmerseSession,
    gather_prompts,
    get_asset,
    image_2_prompt,
    legacy,
    refine_prompt,
    suggest_prompt,
    text_prompt,
    upload_image,
    upload_video,
)

way = both_ways

SPEC = OpenAPI.from_dict(json.loads(Path(__file__).with_name("contract.openapi.json").read_text()))
ACCEPTED = web.AppKey("accepted", list)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP4 = b"\0\0\0\x18ftypmp42" + bytes(64)
ASSET = {"id": "a1", "results": ["https://media.vimmerse.test/a1.png"], "status": "success"}


@attrs.define
class Received:
    """A request in the form that openapi-core reads."""

    host_url: str
    path: str
    method: str
    content_type: str
    body: bytes | None
    parameters: RequestParameters


async def judge(request: web.Request) -> web.Response:
    """Answer like the documented server, or say what breaks the contract."""
    received = Received(
        str(request.url.origin()),
        request.path,
        request.method.lower(),
        request.headers.get("Content-Type", ""),
        await request.read() or None,
        RequestParameters(
            query=ImmutableMultiDict(request.query), header=Headers(list(request.headers.items()))
        ),
    )
    try:
        SPEC.validate_request(received)
    except OpenAPIError as error:
        reason = f"{type(error).__name__} {error} {error.__cause__}"
        return web.json_response({"message": reason}, status=400)
    request.app[ACCEPTED].append(request.path)
    legacy_route = not request.path.startswith(("/v2", "/asset", "/health"))
    answer = "A caption." if "prompt" in request.path else ASSET
    return web.json_response({"data": answer} if legacy_route else answer)


@asynccontextmanager
async def strict_session():
    """Give a session whose server validates everything, and the paths it accepted."""
    app = web.Application()
    app[ACCEPTED] = accepted = []
    app.router.add_route("*", "/{path:.*}", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with VimmerseSession("test-contract", base_url=f"http://127.0.0.1:{port}") as session:
            yield session, accepted
    finally:
        await runner.cleanup()


async def test_every_route_sends_what_the_contract_asks_for(tmp_path):
    """Each route function's request is accepted, with and without its optional fields."""
    (tmp_path / "clip.mp4").write_bytes(MP4)
    async with strict_session() as (session, accepted):
        await suggest_prompt(session)
        await refine_prompt(session, "a fox — \N{FOX FACE}")
        await image_2_prompt(session, "https://a.example/1.png?sig=%2F+x#top")
        await text_prompt(session)
        await upload_image(session, PNG)
        await upload_video(session, tmp_path / "clip.mp4")
        await get_asset(session, "a1")
        await session.request("GET", "/health")
        await legacy.text_prompt(session, image_file=PNG, mode="scene", prompt="a fox")
        await legacy.upload_image(session, PNG)
        await legacy.upload_video(session, video_url="https://a.example/clip.mp4")
        await legacy.upload_audio(session, b"RIFF....WAVE")
        assert len(set(accepted)) == 12


QUESTIONS = st.builds(
    PromptRequest,
    option=st.none() | st.sampled_from(PromptOption) | st.sampled_from([*map(str, PromptOption)]),
    prompt=st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1
    ).filter(str.strip),
    image_url=st.none() | st.sampled_from(["https://a.example/1.png", "https://bücher.example/"]),
    image2_url=st.none() | st.just("https://a.example:8443/2.webp?x=%2F"),
    video_url=st.just("https://a.example/clip.mp4"),
    mode=st.none() | st.sampled_from(PromptMode),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(questions=st.lists(QUESTIONS, min_size=1, max_size=10))
async def test_whatever_the_client_accepts_the_server_accepts(questions):
    """No checked question is one that the contract refuses."""
    async with strict_session() as (session, _):
        assert await gather_prompts(session, questions) == ["A caption."] * len(questions)


async def test_the_judge_is_strict():
    """A field that the contract does not know is refused, or this file would prove nothing."""
    async with strict_session() as (session, _):
        for body in ({"prompt": "a", "seed": 1}, {"prompt": ""}, {}):
            with pytest.raises(BadRequestError):
                await session.request("POST", "/v2/text/refine-prompt", json=body)
        with pytest.raises(BadRequestError):
            await session.request(
                "POST", "/v2/text/image-2-prompt", json={"image_url": "http://a.example/"}
            )
