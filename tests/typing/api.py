"""Wrong calls are type errors; mypy and pyright read this file, nothing runs it."""

from typing import assert_type

import vimmerse_async as va
from vimmerse_async import legacy
from vimmerse_async.control import AdaptiveLimit, FixedLimit


async def routes(session: va.VimmerseSession) -> None:
    assert_type(await va.suggest_prompt(session), str)
    assert_type(await va.refine_prompt(session, "a fox", timeout=5), str)
    assert_type(await va.image_2_prompt(session, "https://a.example/1.png"), str)
    assert_type(await va.text_prompt(session, option="Image2Prompt", mode="scene"), str)
    await va.text_prompt(session, option=va.PromptOption.INSPIRE_ME, mode=va.PromptMode.AUDIO)
    await va.text_prompt(session, option="image2prompt")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await va.refine_prompt(session, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    asset = await va.upload_image(session, b"...")
    assert_type(asset.url, str)
    await va.image_2_prompt(session, asset.url)
    assert_type(va.Asset.from_dict(asset.to_dict()), va.Asset)
    assert_type(await legacy.text_prompt(session, image_file="photo.jpg"), str)


async def batches(session: va.VimmerseSession, urls: list[str]) -> None:
    assert_type(await va.gather_prompts(session, urls), list[str])
    both = await va.gather_prompts(session, urls, return_exceptions=True)
    assert_type(both, list[str | va.VimmerseError])
    await va.gather_prompts(session, (va.PromptRequest(prompt=url, tag=1) for url in urls))
    await va.gather_prompts(session, urls, option="Describe")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    async with va.PromptJournal("run.db") as journal:
        await va.gather_prompts(session, urls, journal=journal, dedupe=False, max_calls=10)
    await va.gather_prompts(session, urls, journal="run.db", retry_errors=["NotFoundError"])
    async with va.stream_prompts(session, urls, ordered=True) as results:
        assert_type(results.stopping, bool)
        async for result in results:
            assert_type(result, va.PromptResult)
            assert_type(result.prompt, str | None)
            assert_type(result.error, va.VimmerseError | None)


def sessions() -> None:
    va.VimmerseSession(limit=8)
    va.VimmerseSession(limit=FixedLimit(8, per_second=2.5))
    va.VimmerseSession(limit=AdaptiveLimit(cap=64), timeouts=va.Timeouts(attempt=30))
    va.VimmerseSession(limit="8")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Counter:
    def on_retry(self, event: va.RetryEvent) -> None: ...
    def on_call(self, event: va.CallEvent) -> None: ...


va.VimmerseSession(hooks=[Counter()])


class Tracer(Counter):
    def on_open(self, event: va.OpenEvent) -> None: ...
    def on_start(self, event: va.StartEvent) -> None: ...


tracer: va.TracingHook = Tracer()
va.VimmerseSession(hooks=[tracer, Counter()])
va.VimmerseSession(hooks=[va.Timeouts()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


async def requests(session: va.VimmerseSession) -> None:
    va.PromptRequest("RefinePrompt", prompt="a fox", mode="video")
    va.PromptRequest("Refine")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    va.PromptRequest(mode="movie")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await va.gather_prompts(session, 3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    strict = await va.gather_prompts(session, ["a"], return_exceptions=False)
    assert_type(strict, list[str])
    assert_type(session.statistics().limit.window, float)
