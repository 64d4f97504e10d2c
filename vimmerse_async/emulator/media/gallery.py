"""From a URL to a file: uploads, and folders that stand for a host. Nothing is ever fetched."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from vimmerse_async.emulator.api.reply import RefusedError, refused
from vimmerse_async.emulator.media.hosting import HOST, Hosting

_REMEMBERED = 4_096
_HOSTED = f"https://{HOST}/"


class Gallery:
    """Finds the file that a URL stands for.

    Args:
        hosting: The uploaded files.
        maps: URL prefixes and the folders that stand for them.

    Raises:
        ValueError: A prefix is no HTTPS URL that ends with a slash, or a folder is none.
    """

    def __init__(self, hosting: Hosting, maps: Mapping[str, Path]) -> None:
        self._hosting = hosting
        self._maps = {_prefix(prefix): _folder(folder) for prefix, folder in maps.items()}
        self._found: OrderedDict[str, Path] = OrderedDict()

    def find(self, url: str) -> Path | None:
        """Return the file; None: nothing stands for this host.

        Raises:
            RefusedError: 400, with what to do about it.
        """
        url = _plain(url)
        if url.startswith(_HOSTED):
            return self._uploaded(url)
        known = self._found.get(url)
        if known is not None:
            return known
        for prefix, folder in self._maps.items():
            if url.startswith(prefix):
                path = self._mapped(url, folder, url[len(prefix) :])
                self._found[url] = path
                if len(self._found) > _REMEMBERED:
                    self._found.popitem(last=False)
                return path
        return None

    def is_own(self, url: str) -> bool:
        """Return whether a URL is one of the emulator's own."""
        return _plain(url).startswith(_HOSTED)

    def _uploaded(self, url: str) -> Path:
        hosted = self._hosting.find_file(url.removeprefix(_HOSTED))
        if hosted is None or hosted.path is None:
            raise refused(
                400, f"no file is hosted at {url[:200]}: never uploaded, or dropped since"
            )
        return hosted.path

    def _mapped(self, url: str, folder: Path, rest: str) -> Path:
        try:
            path = (folder / unquote(rest, errors="strict").lstrip("/")).resolve()
            if path.is_relative_to(folder) and path.is_file():
                return path
        except (ValueError, OSError):
            pass
        raise refused(400, f"the mapped folder has no file for {url[:200]}")


def foreign(url: str) -> RefusedError:
    """Return the 400 that says how a host can be answered for."""
    host = url.partition("://")[2].partition("/")[0]
    return refused(
        400,
        f"the emulator fetches nothing and knows no picture at {url[:200]}. To answer for "
        f"this host from a folder: --map https://{host}/=./folder "
        f'(Emulator(maps={{"https://{host}/": "./folder"}})). To answer without looking: '
        '--any-url (Emulator(unknown_media="placeholder")). Or upload the file first.',
    )


def _plain(url: str) -> str:
    """Return the URL without query and fragment, its host in lower case."""
    scheme, _, rest = url.partition("?")[0].partition("#")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.lower()}{slash}{path}"


def _prefix(prefix: str) -> str:
    if not prefix.startswith("https://") or not prefix.endswith("/"):
        raise ValueError(f"a mapped prefix begins https:// and ends with /, unlike {prefix!r}")
    return _plain(prefix)


def _folder(folder: Path) -> Path:
    resolved = Path(folder).resolve()
    if not resolved.is_dir():
        raise ValueError(f"{folder} is mapped but is no folder")
    return resolved
