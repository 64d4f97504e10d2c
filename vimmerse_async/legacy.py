"""The API's legacy routes, for callers who must: forms instead of JSON, files in the same request.

They go through the same session: same limits, retries and errors. New code uses the v2 routes.
"""

from typing import cast

import attrs

from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.kinds import PICTURES, VIDEOS
from vimmerse_async.models import Asset, ModeLike, OptionLike, PromptRequest
from vimmerse_async.parts import Slot, UploadSource, examine
from vimmerse_async.session import VimmerseSession, check_session
from vimmerse_async.urls import check_url
from vimmerse_async.wire import UPLOAD, Call, FilePart, Form, Operation, legacy_fields

TEXT_PROMPT = attrs.evolve(
    UPLOAD, name="legacy.text_prompt", path="/text/prompt", latency="vision", expects="text"
)
IMAGE = attrs.evolve(UPLOAD, name="legacy.upload_image", path="/image")
VIDEO = attrs.evolve(UPLOAD, name="legacy.upload_video", path="/video")
AUDIO = attrs.evolve(UPLOAD, name="legacy.upload_audio", path="/audio")


async def text_prompt(
    session: VimmerseSession,
    *,
    option: OptionLike | None = None,
    prompt: str | None = None,
    image_url: str | None = None,
    image2_url: str | None = None,
    video_url: str | None = None,
    mode: ModeLike | None = None,
    image_file: UploadSource | None = None,
    image2_file: UploadSource | None = None,
    video_file: UploadSource | None = None,
) -> str:
    """Describe, refine or suggest; files travel in the request itself.

    Args:
        session: An open session.
        option: What to do; None leaves it to the server (`InspireMe`).
        prompt: The text to start from; required to refine one.
        image_url: HTTPS address of the picture.
        image2_url: HTTPS address of a second picture.
        video_url: HTTPS address of a video.
        mode: What the prompt is for; None leaves it to the server (`scene`).
        image_file: A picture: path, bytes or open binary file (the vendor calls it deprecated).
        image2_file: A second picture, likewise.
        video_file: A video, likewise.

    Raises:
        InvalidRequestError: A field cannot be sent; nothing was.
        APIError: The request failed.

    Example:
        >>> async def describe(session):
        ...     return await text_prompt(session, option="Image2Prompt", image_file="photo.jpg")
    """
    check_session(session)
    session.gate  # noqa: B018 - a session that is not open is told so before a file is read
    slots = {
        "image_file": (image_file, Slot("image_file", "image/", PICTURES, "image_file")),
        "image2_file": (image2_file, Slot("image2_file", "image/", PICTURES, "image2_file")),
        "video_file": (video_file, Slot("video_file", "video/", VIDEOS, "video_file")),
    }
    given = {name for name, (source, _) in slots.items() if source is not None}
    texts = legacy_fields(
        PromptRequest(option, prompt, image_url, image2_url, video_url, mode), given
    )
    files = [await examine(slot, source) for source, slot in slots.values() if source is not None]
    return cast("str", await session.send(Call(TEXT_PROMPT, form=Form(texts, tuple(files)))))


async def upload_image(session: VimmerseSession, image_file: UploadSource) -> Asset:
    """Upload a picture by the legacy route.

    Args:
        session: An open session.
        image_file: A path, bytes or an open binary file; JPEG, PNG or WebP.

    Raises:
        InvalidRequestError: It cannot be read, or is none of these; nothing was sent.
        APIError: The upload failed.

    Example:
        >>> async def host(session):
        ...     return (await upload_image(session, "photo.jpg")).url
    """
    slot = Slot("image_file", "image/", PICTURES, "image_file")
    return await _upload(session, IMAGE, slot, image_file, None)


async def upload_video(
    session: VimmerseSession,
    video_file: UploadSource | None = None,
    *,
    video_url: str | None = None,
) -> Asset:
    """Upload a video, or name one, by the legacy route.

    Args:
        session: An open session.
        video_file: A path, bytes or an open binary file; MP4, MOV, AVI or WebM.
        video_url: HTTPS address of a video, instead of a file.

    Raises:
        InvalidRequestError: Not exactly one was given, or it cannot be sent; nothing was.
        APIError: The upload failed.

    Example:
        >>> async def host(session):
        ...     return (await upload_video(session, "clip.mp4")).url
    """
    slot = Slot("video_file", "video/", VIDEOS, "video_file")
    return await _upload(session, VIDEO, slot, video_file, video_url)


async def upload_audio(
    session: VimmerseSession,
    audio_file: UploadSource | None = None,
    *,
    audio_url: str | None = None,
) -> Asset:
    """Upload a sound, or name one, by the legacy route.

    Args:
        session: An open session.
        audio_file: A path, bytes or an open binary file; the vendor names no formats.
        audio_url: HTTPS address of a sound, instead of a file.

    Raises:
        InvalidRequestError: Not exactly one was given, or it cannot be sent; nothing was.
        APIError: The upload failed.

    Example:
        >>> async def host(session):
        ...     return (await upload_audio(session, "voice.mp3")).url
    """
    slot = Slot("audio_file", "", argument="audio_file")
    return await _upload(session, AUDIO, slot, audio_file, audio_url)


async def _upload(
    session: VimmerseSession,
    operation: Operation,
    slot: Slot,
    source: UploadSource | None,
    url: str | None,
) -> Asset:
    check_session(session)
    session.gate  # noqa: B018 - a session that is not open is told so before a file is read
    url_field = slot.argument.replace("_file", "_url")
    if (source is None) == (url is None):
        raise InvalidRequestError(
            f"give either {slot.argument} or {url_field}", field=slot.argument
        )
    files: tuple[FilePart, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    if source is not None:
        files = (await examine(slot, source),)
    elif url is not None:
        check_url(url_field, url)
        texts = ((url_field, url),)
    return cast("Asset", await session.send(Call(operation, form=Form(texts, files))))
