"""B1-B3: a redirect is an error, and where it leads to nobody is told anything."""

import pytest

from vimmerse_async import (
    APIResponseError,
    APIStatusError,
    RetryPolicy,
    get_asset,
    refine_prompt,
    text_prompt,
    upload_image,
)

STATUSES = [300, 301, 302, 303, 305, 307, 308]
PLACES = {
    "another host": "{scheme}://localhost:{port}/v2/text/refine-prompt",
    "another port": "{scheme}://127.0.0.1:{port}/v2/text/refine-prompt",
    "http": "http://127.0.0.1:{plain}/v2/text/refine-prompt",
    "https": "https://127.0.0.1:{port}/",
    "without a scheme": "//127.0.0.1:{port}/",
    "with user information": "{scheme}://me:you@127.0.0.1:{port}/",
    "with backslashes": "\\\\127.0.0.1:{port}\\",
}
ASK = {
    "a prompt": lambda session: refine_prompt(session, "private"),
    "a picture": lambda session: text_prompt(session, image_url="https://a.example/private"),
    "an upload": lambda session: upload_image(session, b"\x89PNG\r\n\x1a\nprivate"),
    "a GET": lambda session: get_asset(session, "private"),
    "any POST": lambda session: session.request("POST", "/a", json={"b": "private"}),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("place", PLACES)
async def test_B1_B2_F7_no_byte_reaches_another_origin(
    place, tls, serve, connect, certified, trusting
):
    """Whatever the status and the request, the other origin sees no connection and no byte."""
    canary, plain = await serve(ssl=certified if tls else None), await serve()
    location = PLACES[place].format(
        scheme="https" if tls else "http", port=canary.port, plain=plain.port
    )
    orders = [{"do": "redirect", "status": status, "location": location} for status in STATUSES]
    server = await serve(*orders * len(ASK), ssl=certified if tls else None)
    session = await connect(server, ssl=trusting if tls else None)
    for ask in ASK.values():
        for status in STATUSES:
            with pytest.raises(APIResponseError) as raised:
                await ask(session)
            assert (raised.value.kind, raised.value.status) == ("redirect", status)
            assert len(raised.value.message) <= 200
    assert len(server.requests) == len(STATUSES) * len(ASK)
    for other in (canary, plain):
        assert (other.connections, other.received) == (0, 0)


@pytest.mark.parametrize("status", [200, 201, 400, 429, 503])
async def test_B1_F7_a_location_of_another_answer(status, serve, connect):
    """A Location, Refresh, Link or Alt-Svc of any other answer is not followed either."""
    canary = await serve()
    names = ("Location", "Content-Location", "Refresh", "Link", "Alt-Svc", "Alt-Used")
    headers = [[name, f"{canary.url}/"] for name in names]
    order = {"do": "answer", "status": status, "body": '"a prompt"', "headers": headers}
    server = await serve(order)
    session = await connect(server)
    if status < 300:
        assert await refine_prompt(session, "x") == "a prompt"
    else:
        with pytest.raises(APIStatusError):
            await refine_prompt(session.with_options(retry=RetryPolicy(max_attempts=1)), "x")
    assert (canary.connections, canary.received) == (0, 0)


@pytest.mark.parametrize(
    "location", ["/{{é*3000}}", "http://a.example/{{x*8000}}", "javascript:{{x*500}}", "/\xff" * 50]
)
async def test_B3_a_long_location_makes_a_short_message(location, serve, connect):
    """An error shows at most 200 characters of where a redirect would have led."""
    server = await serve(*[{"do": "redirect", "location": location}] * 2)
    with pytest.raises(APIResponseError) as raised:
        await refine_prompt(await connect(server), "x")
    assert len(raised.value.message) <= 200
    assert raised.value.message.isascii()
