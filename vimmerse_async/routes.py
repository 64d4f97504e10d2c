"""The v2 text routes: one coroutine function for each."""

from typing import cast

from vimmerse_async.models import ModeLike, OptionLike, PromptRequest
from vimmerse_async.session import VimmerseSession, check_session
from vimmerse_async.wire import SUGGEST_CALL, image_call, prompt_call, refine_call


async def text_prompt(
    session: VimmerseSession,
    *,
    option: OptionLike | None = None,
    prompt: str | None = None,
    image_url: str | None = None,
    image2_url: str | None = None,
    video_url: str | None = None,
    mode: ModeLike | None = None,
    timeout: float | None = None,
) -> str:
    """Describe, refine or suggest, with every field of the API; only given fields are sent.

    Args:
        session: An open session.
        option: What to do; None leaves it to the server (`InspireMe`: by what is submitted).
        prompt: The text to start from; required to refine one.
        image_url: HTTPS address of the picture.
        image2_url: HTTPS address of a second picture.
        video_url: HTTPS address of a video; its middle frame is used when there is no `image_url`.
        mode: What the prompt is for; None leaves it to the server.
        timeout: Seconds for each attempt; None: the session's, else 120.

    Raises:
        InvalidRequestError: A field cannot be sent; nothing was.
        APIError: The request failed.

    Example:
        >>> async def describe(session):
        ...     return await text_prompt(
        ...         session, option="Image2Prompt", image_url="https://a.example/1.png"
        ...     )
    """
    call = prompt_call(PromptRequest(option, prompt, image_url, image2_url, video_url, mode))
    del prompt, image_url, image2_url, video_url  # trackers of errors keep what frames hold
    if type(session) is not VimmerseSession:
        check_session(session)
    return cast("str", await session.send(call, timeout))


async def suggest_prompt(session: VimmerseSession, *, timeout: float | None = None) -> str:
    """Suggest a prompt out of nothing.

    Args:
        session: An open session.
        timeout: Seconds for each attempt; None: the session's, else 60.

    Raises:
        APIError: The request failed.

    Example:
        >>> async def suggest(session):
        ...     return await suggest_prompt(session)
    """
    if type(session) is not VimmerseSession:
        check_session(session)
    return cast("str", await session.send(SUGGEST_CALL, timeout))


async def refine_prompt(
    session: VimmerseSession, prompt: str, *, timeout: float | None = None
) -> str:
    """Refine a prompt.

    Args:
        session: An open session.
        prompt: The text to start from.
        timeout: Seconds for each attempt; None: the session's, else 60.

    Raises:
        InvalidRequestError: The prompt is empty or no text; nothing was sent.
        APIError: The request failed.

    Example:
        >>> async def refine(session):
        ...     return await refine_prompt(session, "Nike shoes on colorful background")
    """
    call = refine_call(prompt)
    del prompt  # trackers of errors keep what frames hold
    if type(session) is not VimmerseSession:
        check_session(session)
    return cast("str", await session.send(call, timeout))


async def image_2_prompt(
    session: VimmerseSession, image_url: str, *, timeout: float | None = None
) -> str:
    """Describe a picture.

    Args:
        session: An open session.
        image_url: HTTPS address of the picture, sent as it is written.
        timeout: Seconds for each attempt; None: the session's, else 120.

    Raises:
        InvalidURLError: The address cannot be sent; nothing was.
        APIError: The request failed.

    Example:
        >>> async def caption(session):
        ...     return await image_2_prompt(session, "https://a.example/1.png")
    """
    call = image_call(image_url)
    del image_url  # trackers of errors keep what frames hold
    if type(session) is not VimmerseSession:
        check_session(session)
    return cast("str", await session.send(call, timeout))
