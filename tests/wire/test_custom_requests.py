"""`session.request`: any other route, with the same care and no more re-sends."""

import pytest
from wire_kit import both_ways

from vimmerse_async import (
    APIConnectionError,
    APIResponseError,
    InternalServerError,
    NotFoundError,
    UnprocessableEntityError,
)

way = both_ways


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("", None),
        ("{}", {}),
        ("[1, 2]", [1, 2]),
        ('{"data": [1]}', [1]),
        ("null", None),
        ("3.5", 3.5),
    ],
)
async def test_what_comes_back(body, value, serve, connect):
    """The JSON, without a wrapper that holds nothing else; None for an empty 2xx."""
    server = await serve({"do": "answer", "status": 200, "body": body})
    assert await (await connect(server)).request("GET", "/other") == value


async def test_204(serve, connect):
    """An answer without content is None."""
    server = await serve({"do": "answer", "status": 204})
    assert await (await connect(server)).request("DELETE", "/asset/1") is None


async def test_head(serve, connect):
    """HEAD has no body, whatever its headers promise."""
    server = await serve({"do": "raw", "text": "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"})
    session = await connect(server)
    assert await session.request("HEAD", "/other") is None
    assert await session.request("GET", "/other") == "a suggestion"


async def test_what_goes_out(serve, connect):
    """Method, path and query as given; JSON as JSON, a form as a form."""
    server = await serve()
    session = await connect(server)
    await session.request("patch", "/other?a=%20&b=[1]", json={"x": ["é"]})
    await session.request("POST", "/form", form={"prompt": "é\r\n--x", "mode": ""})
    custom, form = server.requests
    assert (custom.method, custom.target, custom.fields) == (
        "PATCH",
        "/other?a=%20&b=[1]",
        {"x": ["é"]},
    )
    (content_type,) = form.all("content-type")
    boundary = content_type.partition("boundary=")[2].encode()
    parts = form.body.split(b"--" + boundary)[1:-1]
    assert [part.partition(b"\r\n\r\n")[2] for part in parts] == ["é\r\n--x\r\n".encode(), b"\r\n"]
    assert [b'name="prompt"' in parts[0], b'name="mode"' in parts[1]] == [True, True]


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("GET", "reset_after_request"),
        ("GET", "close_after_request"),
        ("GET", "short_body"),
        ("HEAD", "reset_after_request"),
        ("HEAD", "reset_in_head"),
    ],
)
async def test_a_safe_method_is_repeated(method, fault, serve, connect):
    """GET and HEAD cost nothing: they are tried up to max_attempts, and never counted as paid."""
    server = await serve(*[fault] * 4, {"do": "answer", "status": 204})
    session = await connect(server)
    assert await session.request(method, "/other") is None
    assert len(server.requests) == 5
    assert session.statistics().possibly_charged == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("reset_after_request", "lost"), ("short_body", "truncated"),
        ({"do": "raw", "text": "garbage\r\n\r\n", "close": True}, "malformed"),
        ({"do": "answer", "body": "<html>"}, "html"),
    ],
    ids=["reset", "cut", "garbage", "HTML"],
)  # fmt: skip
async def test_other_methods_are_never_repeated(method, fault, kind, serve, connect):
    """What may have been done already is not done again."""
    server = await serve(fault)
    with pytest.raises((APIConnectionError, APIResponseError)) as raised:
        await (await connect(server)).request(method, "/other")
    assert (raised.value.kind, raised.value.attempts) == (kind, 1)
    assert len(server.requests) == 1


async def test_a_refused_post_is_repeated(serve, connect):
    """A 503 and a refused connection have done nothing."""
    server = await serve(*[{"do": "answer", "status": 503}] * 2)
    assert await (await connect(server)).request("POST", "/other") == "a suggestion"
    assert len(server.requests) == 3


async def test_an_unsent_post_is_repeated(serve, connect):
    """So has one that met a spoiled connection before it was written."""
    server = await serve({"do": "ok_then_linger", "after": 0.0})
    session = await connect(server)
    await session.request("POST", "/other", json={})
    assert await session.request("POST", "/other", json={"prompt": "x"}) == "answer to x"


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFoundError), (422, UnprocessableEntityError), (501, InternalServerError)],
)
async def test_errors_name_the_operation(status, error, serve, connect):
    """They are the same classes as those of the named routes."""
    server = await serve({"do": "answer", "status": status})
    with pytest.raises(error) as raised:
        await (await connect(server)).request("GET", "/other")
    assert raised.value.operation == "request"
