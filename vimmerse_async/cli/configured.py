"""A command whose options files may set, for all who do not want to type them."""

import os
from typing import Any

import rich_click as click
from click.exceptions import UsageError

from vimmerse_async.cli.settings import PROFILE_VARIABLE, defaults
from vimmerse_async.cli.speech import speech_options


class ConfiguredCommand(click.RichCommand):
    """A command that asks `vimmerse.toml` for what was not typed."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.params.extend(speech_options())
        self.params.append(
            click.Option(
                ("--profile",),
                metavar="NAME",
                expose_value=False,
                help=f"Take the options of [profiles.NAME] in vimmerse.toml. Without it, "
                f"${PROFILE_VARIABLE}.",
            )
        )

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context, in which a file's words stand below what is typed."""
        if not {"-h", "--help"} & set(args):
            given = self._typed(args)
            profile = _text(given.get("profile")) or os.environ.get(PROFILE_VARIABLE) or None
            source = _text(given.get("source") or given.get("sources"))
            extra["default_map"] = defaults(self, info_name or "", source, profile)
        return super().make_context(info_name, args, parent, **extra)

    def _typed(self, args: list[str]) -> dict[str, Any]:
        context = self.context_class(self, resilient_parsing=True)
        try:
            return dict(self.make_parser(context).parse_args(list(args))[0])
        except UsageError:
            return {}  # told when it is parsed in earnest


def _text(given: Any) -> str | None:
    """Return what was typed, the first of several words; None for nothing."""
    first = next(iter(given), None) if isinstance(given, (list, tuple)) else given
    return first if isinstance(first, str) else None
