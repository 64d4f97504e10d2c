"""`vimmerse refine`, `prompt` and `suggest`: a few questions, their answers on stdout."""

import functools
from collections.abc import Sequence

import rich_click as click

from vimmerse_async.cli.configured import ConfiguredCommand
from vimmerse_async.cli.given import given_text
from vimmerse_async.cli.options import (
    MODES,
    OPTIONS,
    QUESTION,
    Connection,
    choice,
    connection_options,
)


@click.command(
    "refine",
    cls=ConfiguredCommand,
    short_help="Refine texts into prompts.",
    help="Refine each TEXT into a prompt and print it. With - the text is read from stdin.",
)
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@connection_options
def refine_command(*, texts: Sequence[str], connection: Connection) -> int:
    """Refine, and return the exit code."""
    from vimmerse_async.cli.direct import ask  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.runner import run  # noqa: PLC0415
    from vimmerse_async.models import PromptOption, PromptRequest  # noqa: PLC0415

    given = [given_text(text) for text in texts]
    requests = [PromptRequest(PromptOption.REFINE_PROMPT, text) for text in given]
    return run(functools.partial(ask, connection, requests))


@click.command(
    "suggest",
    cls=ConfiguredCommand,
    short_help="Suggest a prompt out of nothing.",
    help="Suggest a prompt and print it.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 1_000),
    default=1,
    metavar="N",
    help="How many.",
    panel=QUESTION,
)
@connection_options
def suggest_command(*, count: int, connection: Connection) -> int:
    """Suggest, and return the exit code."""
    from vimmerse_async.cli.direct import ask  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.runner import run  # noqa: PLC0415
    from vimmerse_async.models import PromptOption, PromptRequest  # noqa: PLC0415

    requests = [PromptRequest(PromptOption.SUGGEST_PROMPT)] * count
    return run(functools.partial(ask, connection, requests))


@click.command(
    "prompt",
    cls=ConfiguredCommand,
    short_help="Ask one question with every field of the API.",
    help="Describe a picture or video, refine TEXT, or suggest a prompt, and print it.",
)
@click.argument("prompt", required=False, metavar="[TEXT]")
@click.option(
    "--image",
    "--image-url",
    "image",
    metavar="URL|FILE",
    help="The picture; a file is uploaded.",
    panel=QUESTION,
)
@click.option(
    "--image2",
    "--image2-url",
    "image2",
    metavar="URL|FILE",
    help="A second picture.",
    panel=QUESTION,
)
@click.option(
    "--video",
    "--video-url",
    "video",
    metavar="URL|FILE",
    help="A video, if there is no picture.",
    panel=QUESTION,
)
@click.option(
    "--option",
    **choice(OPTIONS),
    help="What to do. Without it, what is given decides.",
    panel=QUESTION,
)
@click.option("--mode", **choice(MODES), help="What the prompt is for.", panel=QUESTION)
@click.option(
    "--convert",
    is_flag=True,
    help="Convert files that the API does not take, such as HEIC.",
    panel=QUESTION,
)
@connection_options
def prompt_command(
    *,
    prompt: str | None,
    image: str | None,
    image2: str | None,
    video: str | None,
    option: str | None,
    mode: str | None,
    convert: bool,
    connection: Connection,
) -> int:
    """Ask, and return the exit code."""
    from vimmerse_async.cli.direct import ask  # noqa: PLC0415 - `--help` must not pay
    from vimmerse_async.cli.runner import run  # noqa: PLC0415
    from vimmerse_async.models import PromptMode, PromptOption, PromptRequest  # noqa: PLC0415

    text = None if prompt is None else given_text(prompt)
    request = PromptRequest(
        None if option is None else PromptOption(option),
        text,
        image,
        image2,
        video,
        None if mode is None else PromptMode(mode),
    )
    return run(functools.partial(ask, connection, [request], convert=convert))
