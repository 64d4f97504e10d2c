"""Writes the one sentence that a question asks for."""

from functools import lru_cache
from typing import TYPE_CHECKING

from vimmerse_async.emulator.api.contract import DESCRIBE, SUGGEST, Question
from vimmerse_async.emulator.api.reply import RefusedError
from vimmerse_async.emulator.author import prompts
from vimmerse_async.emulator.author.eyes import Eyes
from vimmerse_async.emulator.behaviour.account import Account
from vimmerse_async.emulator.media.gallery import Gallery, foreign

if TYPE_CHECKING:
    from vimmerse_async.emulator.describe import Picture

_REMEMBERED = 4_096


class Author:
    """Answers questions from pictures and words.

    Args:
        gallery: Finds the files of URLs.
        eyes: Looks at them.
        placeholders: Whether what cannot be seen is answered without being seen.
    """

    def __init__(self, gallery: Gallery, eyes: Eyes, *, placeholders: bool) -> None:
        self._gallery = gallery
        self._eyes = eyes
        self._placeholders = placeholders

    async def answer(self, question: Question, account: Account) -> str:
        """Return the prompt, in the words of the account's seed.

        Raises:
            RefusedError: 400, a picture cannot be looked at.
        """
        mode, seed = question.mode, account.seed
        if question.task == SUGGEST:
            return prompts.suggest(account.next_suggestion(), mode=mode, seed=seed)
        if question.task == DESCRIBE:
            seen = await self._describe(question, seed)
            return f"{question.prompt.strip()}: {seen}" if question.prompt else seen
        refined = prompts.refine(question.prompt or "", mode=mode, seed=seed)
        return (
            f"{refined} {await self._describe(question, seed)}" if question.has_media else refined
        )

    async def _describe(self, question: Question, seed: int) -> str:
        """Describe the first picture, and weave in the second; a video only without a picture."""
        first = question.image_url or question.video_url or question.image2_url or ""
        second = question.image2_url if first != question.image2_url else None
        picture = await self._see(first, video=first == question.video_url != question.image_url)
        if picture is None:
            return _unseen(first, mode=question.mode, seed=seed)
        woven = await self._see(second) if second else None
        return _sentence(picture, woven, question.mode, seed)

    async def _see(self, url: str, *, video: bool = False) -> "Picture | None":
        """Return what is seen; None where a placeholder is wanted for what nobody has.

        A file that is here and cannot be looked at is refused: a placeholder would hide why.
        """
        try:
            path = self._gallery.find(url)
        except RefusedError:
            if not self._placeholders or self._gallery.is_own(url):
                raise
            return None
        if path is not None:
            return await self._eyes.see(path, video=video)
        if not self._placeholders:
            raise foreign(url)
        return None


_unseen = lru_cache(maxsize=_REMEMBERED)(prompts.unseen)


@lru_cache(maxsize=_REMEMBERED)
def _sentence(picture: "Picture", second: "Picture | None", mode: str | None, seed: int) -> str:
    from vimmerse_async.emulator import describe  # noqa: PLC0415 - Pillow is an extra

    return describe.sentence(picture, second=second, mode=mode, seed=seed)
