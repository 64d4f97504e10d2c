"""Uploads: a local picture or video becomes a hosted one, whose URL the text routes take."""

import re
from typing import cast

import attrs

from vimmerse_async.errors import InvalidRequestError, brief
from vimmerse_async.kinds import PICTURES, VIDEOS
from vimmerse_async.models import Asset
from vimmerse_async.parts import Slot, UploadSource, examine
from vimmerse_async.session import VimmerseSession, check_session
from vimmerse_async.wire import UPLOAD, Call, Form, Operation

IMAGE = Slot("image_file", "image/", PICTURES)
VIDEO = Slot("video_file", "video/", VIDEOS)
_ASSET_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{1,200}").fullmatch
UPLOAD_IMAGE = attrs.evolve(UPLOAD, name="upload_image", path="/v2/image")
UPLOAD_VIDEO = attrs.evolve(UPLOAD, name="upload_video", path="/v2/video")


async def upload_image(session: VimmerseSession, source: UploadSource) -> Asset:
    """Upload a picture and return where it is hosted.

    Args:
        session: An open session.
        source: A path, bytes, or an open binary file (read from where it stands, never closed;
            one that cannot seek is sent once). JPEG, PNG or WebP, told by the first bytes.

    Returns:
        The asset; its `.url` is what the text routes take.

    Raises:
        InvalidRequestError: There is no such file, or it is none of these; nothing was sent.
        APIError: The upload failed; it may stand still for 60 s and last for 3,600.

    Example:
        >>> async def host(session):
        ...     return (await upload_image(session, "photo.jpg")).url
    """
    return await _send(session, UPLOAD_IMAGE, IMAGE, source)


async def upload_video(session: VimmerseSession, source: UploadSource) -> Asset:
    """Upload a video and return where it is hosted.

    Args:
        session: An open session.
        source: A path, bytes, or an open binary file (read from where it stands, never closed;
            one that cannot seek is sent once). MP4, MOV, AVI or WebM, told by the first bytes.

    Returns:
        The asset; its `.url` is what the text routes take.

    Raises:
        InvalidRequestError: There is no such file, or it is none of these; nothing was sent.
        APIError: The upload failed; it may stand still for 60 s and last for 3,600.

    Example:
        >>> async def host(session):
        ...     return (await upload_video(session, "clip.mp4")).url
    """
    return await _send(session, UPLOAD_VIDEO, VIDEO, source)


async def get_asset(
    session: VimmerseSession, asset_id: str, *, timeout: float | None = None
) -> Asset:
    """Return an asset that was uploaded before.

    Args:
        session: An open session.
        asset_id: The `.id` of an asset.
        timeout: Seconds for each attempt; None: the session's, else 60.

    Raises:
        InvalidRequestError: The id is empty or holds characters that no id has.
        NotFoundError: There is no such asset.
        APIError: The request failed.

    Example:
        >>> async def look_up(session, asset):
        ...     return await get_asset(session, asset.id)
    """
    if not isinstance(asset_id, str) or not _ASSET_ID(asset_id):
        raise InvalidRequestError(
            f"asset_id must be the `.id` of an asset, not {brief(asset_id)}", field="asset_id"
        )
    operation = Operation("get_asset", "GET", f"/asset/{asset_id}", expects="asset", safe=True)
    check_session(session)
    return cast("Asset", await session.send(Call(operation), timeout))


async def _send(
    session: VimmerseSession, operation: Operation, slot: Slot, source: UploadSource
) -> Asset:
    check_session(session)
    session.gate  # noqa: B018 - a session that is not open is told so before the file is read
    part = await examine(slot, source)
    return cast("Asset", await session.send(Call(operation, form=Form(files=(part,)))))
