"""What goes out: the headers, the body to the byte, and to one origin only."""

import json
import platform

import pytest
from fault_server import ASSET
from secret_scan import KEY, OTHER_SECRET
from wire_kit import both_ways

from vimmerse_async import (
    APIConnectionError,
    InvalidRequestError,
    PromptMode,
    PromptOption,
    __version__,
    get_asset,
    image_2_prompt,
    refine_prompt,
    suggest_prompt,
    text_prompt,
    upload_image,
)

way = both_ways

URL = "https://a.example/1.png"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
TEXT_CALLS = {
    "text": (
        lambda session: text_prompt(session, option="Image2Prompt", image_url=URL, mode="scene"),
        "/v2/text/prompt",
        {"option": "Image2Prompt", "image_url": URL, "mode": "scene"},
    ),
    "text, all of it": (
        lambda session: text_prompt(
            session,
            option=PromptOption.INSPIRE_ME,
            prompt="p",
            image_url=URL,
            image2_url=URL + "2",
            video_url=URL + "3",
            mode=PromptMode.AUDIO,
        ),
        "/v2/text/prompt",
        {
            "option": "InspireMe",
            "prompt": "p",
            "image_url": URL,
            "image2_url": URL + "2",
            "video_url": URL + "3",
            "mode": "audio",
        },
    ),
    "text, nothing": (text_prompt, "/v2/text/prompt", {}),
    "suggest": (suggest_prompt, "/v2/text/suggest-prompt", None),
    "refine": (lambda s: refine_prompt(s, "shoes"), "/v2/text/refine-prompt", {"prompt": "shoes"}),
    "image": (lambda s: image_2_prompt(s, URL), "/v2/text/image-2-prompt", {"image_url": URL}),
}  # fmt: skip


@pytest.mark.parametrize(("ask", "path", "fields"), TEXT_CALLS.values(), ids=TEXT_CALLS)
async def test_a_text_call(ask, path, fields, serve, connect):
    """Each text route sends its fields, and each header once, with or without a body."""
    server = await serve({"do": "say", "value": "a prompt"})
    assert await ask(await connect(server)) == "a prompt"
    (asked,) = server.requests
    assert (asked.method, asked.target) == ("POST", path)
    assert (asked.fields if asked.body else None) == fields
    sent = {name.lower(): value for name, value in asked.headers}
    assert len(sent) == len(asked.headers)
    assert sent == {
        "host": server.url.removeprefix("http://"),
        "x-api-key": KEY,
        "user-agent": f"vimmerse-async/{__version__} python/{platform.python_version()}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(asked.body)),
    }


async def test_the_optional_headers(serve, connect):
    """Authorization, Username and X-Client-Type go out as they were given."""
    server = await serve()
    session = await connect(
        server, authorization=OTHER_SECRET, username="Ada Lovelace", client_type="batch/2 (x; y)"
    )
    await suggest_prompt(session)
    (asked,) = server.requests
    assert asked.all("authorization") == [OTHER_SECRET]
    assert asked.all("username") == ["Ada Lovelace"]
    assert asked.all("x-client-type") == ["batch/2 (x; y)"]


@pytest.mark.parametrize(
    "url",
    [
        "https://bucket.s3.example/a%2Fb+c%7E~.png?X-Sig=aB%2f%2F+%20==&y=%C3%a9#Frag%20ment",
        "https://BUCKET.example/../a/./b//c?",
        "https://münchen.example/ü/日本.png?ü=é",
        "https://ＦＵＬＬ.example/a",
        "https://a。example/b",
        "https://xn--mnchen-3ya.example:8443/",
        "https://a.example/%zz%",
        "https://a.example/?q=[x]{y}|^`\"<>'",
        "https://[2001:db8::1]:8443/a",
        "HTTPS://a.example/A",
        "https://127.0.0.1/a",
        "https://2130706433/a",
    ],
)
async def test_C6_a_url_goes_out_as_it_was_written(url, serve, connect):
    """What is accepted arrives unchanged, to the byte: signatures stay valid."""
    server = await serve()
    await image_2_prompt(await connect(server), url)
    assert server.requests[0].fields == {"image_url": url}
    assert json.dumps(url, ensure_ascii=False).encode() in server.requests[0].body


@pytest.mark.parametrize(
    "prompt",
    [
        "{name} {{x}} %s %(x)s ${x} $x",
        "\x1b[31mred\x1b[0m \x07 \x01",
        "<script>alert(1)</script> & '\"",
        "日本語 🙂 \u202e\u200b\ufeff\u2028",
        "  spaces  \r\n\t",
        "x" * 1_000_000,
        "🙂" * 400_000,
    ],
    ids=["braces", "controls", "html", "unicode", "spaces", "1 MB", "1.6 MB"],
)
async def test_C18_a_prompt_goes_out_as_it_was_written(prompt, serve, connect):
    """No template, escape or direction mark of a prompt is touched."""
    server = await serve({"do": "say", "value": "fine"})
    assert await refine_prompt(await connect(server), prompt) == "fine"
    assert server.requests[0].fields == {"prompt": prompt}
    assert server.requests[0].all("content-length") == [str(len(server.requests[0].body))]


async def test_B33_cookies_are_not_kept(serve, connect):
    """No cookie of a reply goes out with a later request."""
    cookies = [["Set-Cookie", "a=b"], ["Set-Cookie", "c=d; Domain=127.0.0.1; Path=/"]]
    server = await serve({"do": "answer", "body": '"a"', "headers": cookies})
    session = await connect(server)
    await suggest_prompt(session)
    await suggest_prompt(session)
    assert not server.requests[1].all("cookie")


async def test_C25_the_environment_is_not_asked(serve, connect, monkeypatch, tmp_path):
    """Proxy variables and .netrc change nothing unless trust_env is on."""
    canary = await serve()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, canary.url)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password pass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = await serve()
    assert await suggest_prompt(await connect(server)) == "a suggestion"
    assert canary.connections == 0
    assert not server.requests[0].all("authorization")


async def test_C25_a_proxy_of_the_environment_sees_no_key(serve, connect, monkeypatch):
    """With trust_env the proxy is asked for a tunnel, and told nothing else."""
    proxy = await serve({"do": "answer", "status": 407})
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    session = await connect("https://api.invalid", trust_env=True)
    with pytest.raises(APIConnectionError) as raised:
        await suggest_prompt(session)
    assert raised.value.kind == "proxy"
    (asked,) = proxy.requests
    assert asked.method == "CONNECT"
    names = {name.lower() for name, _ in asked.headers}
    assert names <= {"host", "user-agent", "accept", "accept-encoding"}


async def test_an_upload(serve, connect):
    """An upload's Content-Type names its boundary; its length is told in advance."""
    server = await serve()
    await upload_image(await connect(server), PNG)
    (asked,) = server.requests
    (content_type,) = asked.all("content-type")
    assert content_type.startswith("multipart/form-data; boundary=")
    assert asked.all("content-length") == [str(len(asked.body))]
    assert asked.all("accept-encoding") == ["identity"]
    assert asked.all("x-api-key") == [KEY]
    assert not asked.all("transfer-encoding")


@pytest.mark.parametrize("prefix", ["/vimmerse", "/a/b%2Fc/", "/"])
async def test_every_request_goes_below_the_path_of_the_address(prefix, serve, connect):
    """Behind a gateway, texts, uploads, assets and any other route go below its path."""
    bodies = ['"a"', '"a"', json.dumps(ASSET), json.dumps(ASSET), '"a"']
    server = await serve(*({"do": "answer", "status": 200, "body": body} for body in bodies))
    session = await connect(server.url + prefix)
    await refine_prompt(session, "shoes")
    await refine_prompt(session, "x" * 100_000)
    await upload_image(session, PNG)
    await get_asset(session, "a1")
    await session.request("GET", "/health?deep=1")
    below = prefix.rstrip("/")
    assert [request.target for request in server.requests] == [
        f"{below}/v2/text/refine-prompt", f"{below}/v2/text/refine-prompt", f"{below}/v2/image",
        f"{below}/asset/a1", f"{below}/health?deep=1",
    ]  # fmt: skip
    assert (session.base_url, session.origin) == (server.url + below, server.url)
    assert f"<VimmerseSession {server.url}{below} " in repr(session)


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/./a", "/a/%2e%2E/b?x", "/.%2e/"])
async def test_no_request_leaves_the_path_of_the_address(path, serve, connect):
    """A path that leads upwards is refused before anything is sent; dots elsewhere are not."""
    server = await serve()
    session = await connect(f"{server.url}/vimmerse")
    with pytest.raises(InvalidRequestError, match="go nowhere up"):
        await session.request("GET", path)
    assert server.connections == 0
    await session.request("GET", "/a..b/...?next=/../c")
    assert server.requests[0].target == "/vimmerse/a..b/...?next=/../c"
