"""Files in, pictures looked at, and no way out of the folders that stand for a host."""

import struct
import zlib

import pytest


async def test_an_uploaded_picture_is_hosted_described_and_found_again(call, picture):
    """The hosted URL of an upload is HTTPS, can be captioned, and is served under /media/."""
    caller = await call()
    data = picture((250, 120, 10))
    uploaded = await caller.upload("/v2/image", "image_file", data)
    asset = uploaded.value
    url = asset["results"][0]
    caption = await caller.post("/v2/text/image-2-prompt", {"image_url": url})
    served = await caller.ask("GET", "/media/" + url.rpartition("/")[2], headers={})
    assert (uploaded.status, caption.status, served.status) == (200, 200, 200)
    assert url == f"https://media.vimmerse.test/{asset['id']}.png"
    assert served.value == data
    assert served.headers["Content-Type"] == asset["mime_type"] == "image/png"
    assert (await caller.ask("GET", f"/asset/{asset['id']}")).value == asset


async def test_different_pictures_get_different_sentences(call, picture):
    """The server looks at what it is given."""
    caller = await call()
    said = set()
    for colour in [(0, 0, 0), (255, 255, 255), (255, 0, 0)]:
        asset = await caller.upload("/v2/image", "image_file", picture(colour))
        fields = {"image_url": asset.value["results"][0]}
        said.add((await caller.post("/v2/text/image-2-prompt", fields)).value)
    assert len(said) == 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_the_three_formats_of_the_contract_are_taken(call, picture, kind):
    """The kind is read from the first bytes, not from the name."""
    caller = await call()
    assert (await caller.upload("/v2/image", "image_file", picture((9, 9, 9), kind))).status == 200


@pytest.mark.parametrize("data", [b"GIF89a" + b"\0" * 90, b"<svg/>", b"", b"\0" * 99, b"%PDF-1.7"])
async def test_other_formats_are_refused(call, data):
    """What the contract does not name is a 400 that lists what it names."""
    caller = await call()
    for path, field in [("/v2/image", "image_file"), ("/v2/video", "video_file")]:
        answer = await caller.upload(path, field, data)
        assert answer.status in {400, 422}
    assert (
        "JPEG, PNG, WebP"
        in (await caller.upload("/v2/image", "image_file", b"no")).value["message"]
    )


@pytest.mark.parametrize(
    ("head", "suffix"),
    [
        (b"\0\0\0\x18ftypisom", ".mp4"),
        (b"\0\0\0\x14ftypqt  ", ".mov"),
        (b"RIFF\0\0\0\0AVI LIST", ".avi"),
        (b"\x1aE\xdf\xa3\x93B\x82\x84webm", ".webm"),
    ],
)
async def test_the_four_video_formats_are_taken(call, head, suffix):
    """A video is hosted without being looked at."""
    caller = await call()
    answer = await caller.upload("/v2/video", "video_file", head + b"\0" * 100)
    assert answer.status == 200
    assert answer.value["results"][0].endswith(suffix)


async def test_a_missing_file_is_a_422(call, picture):
    """The field is named as the contract names it."""
    caller = await call()
    answer = await caller.upload("/v2/image", "picture", picture((1, 2, 3)))
    assert (answer.status, answer.value["detail"][0]["loc"]) == (422, ["body", "image_file"])


@pytest.mark.parametrize("declared", [True, False])
async def test_G8_a_file_above_the_cap_is_a_413(call, picture, declared):
    """The cap holds whether or not the length was announced."""
    caller = await call(upload_cap=1 << 20)
    data = picture((1, 2, 3)) + b"\0" * (1 << 21)
    options = {} if declared else {"chunked": True}
    answer = await caller.upload("/v2/image", "image_file", data, **options)
    assert answer.status == 413


async def test_G8_the_oldest_uploads_make_room_for_the_newest(call, picture):
    """All uploads together stay within the cap."""
    data = picture((9, 9, 9))
    caller = await call(media_cap=3 * len(data))
    urls = []
    for _ in range(4):
        uploaded = await caller.upload("/v2/image", "image_file", data)
        urls.append(uploaded.value["results"][0])
    statuses = [
        (await caller.post("/v2/text/image-2-prompt", {"image_url": url})).status for url in urls
    ]
    assert statuses == [400, 200, 200, 200]


def png_of_size(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj()
    data = b"".join(packer.compress(b"\0" * 150_001) for _ in range(64)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


async def test_G5_a_decompression_bomb_is_refused_at_the_upload(call):
    """A picture of 50,000 by 50,000 pixels is never unpacked."""
    caller = await call()
    answer = await caller.upload("/v2/image", "image_file", png_of_size(50_000, 50_000))
    assert answer.status == 400


async def test_a_mapped_folder_stands_for_its_host(call, picture, tmp_path):
    """A URL below a mapped prefix is answered from the folder, its query ignored."""
    (tmp_path / "red shoe.png").write_bytes(picture((255, 0, 0)))
    caller = await call(maps={"https://cdn.example/shoes/": tmp_path})
    for url in (
        "https://cdn.example/shoes/red%20shoe.png",
        "https://CDN.example/shoes/red%20shoe.png?v=2#x",
    ):
        assert (await caller.post("/v2/text/image-2-prompt", {"image_url": url})).status == 200


@pytest.mark.parametrize(
    "rest",
    [
        "../secret.png",
        "..%2fsecret.png",
        "%2e%2e/secret.png",
        "%2e%2e%2fsecret.png",
        "a/../../secret.png",
        "/etc/hostname",
        "%2fetc/hostname",
        "//etc/hostname",
        "link.png",
        "%00.png",
        "..%c0%afsecret.png",
        "",
        "folder",
        "missing.png",
        "a" * 5000,
    ],
)
async def test_G7_no_url_leaves_its_folder(call, picture, tmp_path, rest):
    """Whatever the rest of the URL spells, only files inside the folder are read."""
    (tmp_path / "secret.png").write_bytes(picture((255, 0, 0)))
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    caller = await call(maps={"https://cdn.example/": inside})
    answer = await caller.post(
        "/v2/text/image-2-prompt", {"image_url": "https://cdn.example/" + rest}
    )
    assert answer.status == 400
    assert str(tmp_path) not in answer.value["message"]


async def test_a_changed_file_is_looked_at_anew(call, picture, tmp_path):
    """What was seen is remembered by contents, never by name."""
    path = tmp_path / "a.png"
    caller = await call(maps={"https://cdn.example/": tmp_path})
    said = []
    for colour in [(0, 0, 0), (255, 255, 255)]:
        path.write_bytes(picture(colour))
        fields = {"image_url": "https://cdn.example/a.png"}
        said.append((await caller.post("/v2/text/image-2-prompt", fields)).value)
    assert said[0] != said[1]


async def test_a_placeholder_says_that_the_picture_was_not_seen(call):
    """Where it was asked for, a foreign URL gets the same unseeing sentence every time."""
    caller = await call(unknown_media="placeholder")
    fields = {"image_url": "https://cdn.example/shoe.png"}
    said = {(await caller.post("/v2/text/image-2-prompt", fields)).value for _ in range(3)}
    assert len(said) == 1
    assert "shoe" in said.pop()


async def test_a_video_is_used_only_without_a_picture(call, picture, tmp_path):
    """With an image_url the video is not even opened."""
    (tmp_path / "a.png").write_bytes(picture((255, 0, 0)))
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 99)
    caller = await call(maps={"https://cdn.example/": tmp_path})
    video = {"video_url": "https://cdn.example/broken.mp4"}
    both = {**video, "image_url": "https://cdn.example/a.png"}
    assert (await caller.post("/v2/text/prompt", both)).status == 200
    assert (await caller.post("/v2/text/prompt", video)).status == 400


@pytest.mark.parametrize("name", ["", "x.png", "../" * 5 + "etc/passwd", "%2e%2e%2fx", "a.png%00"])
async def test_G7_only_uploads_are_served_under_media(call, name):
    """Names are looked up, never opened."""
    caller = await call()
    assert (await caller.ask("GET", "/media/" + name)).status == 404


async def test_an_unknown_asset_is_a_404(call):
    """An id that was never given out is not found."""
    caller = await call()
    answer = await caller.ask("GET", "/asset/nothing")
    assert (answer.status, list(answer.value)) == (404, ["message"])


async def test_an_upload_that_cannot_be_looked_at_has_no_placeholder(call):
    """What is here and cannot be seen is refused with the reason, whatever others get."""
    caller = await call(unknown_media="placeholder")
    data = b"\0\0\0\x18ftypisom" + b"\0" * 100
    url = (await caller.upload("/v2/video", "video_file", data)).value["results"][0]
    answer = await caller.post("/v2/text/prompt", {"video_url": url})
    assert answer.status == 400
    assert "damaged or incomplete" in answer.value["message"]
    gone = await caller.post("/v2/text/prompt", {"image_url": url.replace(".mp4", ".png")})
    assert gone.status == 400
    other = await caller.post("/v2/text/prompt", {"image_url": "https://a.example/1.png"})
    assert other.status == 200
