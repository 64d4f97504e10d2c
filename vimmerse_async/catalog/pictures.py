"""Where the picture of a row is: on this machine, or at its URL."""

import base64
import io
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import attrs

from vimmerse_async.catalog.colour import shown
from vimmerse_async.catalog.convert import opener_of
from vimmerse_async.catalog.folder import FILE_COLUMN
from vimmerse_async.catalog.rows import CatalogRow
from vimmerse_async.catalog.source import CatalogSource
from vimmerse_async.errors import InvalidRequestError
from vimmerse_async.kinds import AVI, MOV, MP4, WEBM, kind_of
from vimmerse_async.parts import read_head
from vimmerse_async.readers import open_regular

_VIDEOS = frozenset(ending for kind in (AVI, MOV, MP4, WEBM) for ending in kind.endings)
_SIZE = (480, 360)
_REDUCIBLE = frozenset(("CMYK", "L", "LA", "RGB", "RGBA", "YCbCr"))
_ASKED = ("image_url", "video_url", "image2_url")


@attrs.frozen
class Pictures:
    """Finds pictures.

    Attributes:
        folder: The folder that was captioned, or the one file; None when there was none.
        maps: The beginnings of URLs whose pictures are in a folder here.
        embed: True to put small copies of local pictures into the page; needs Pillow.
    """

    folder: Path | None = None
    maps: Mapping[str, Path] = attrs.field(factory=dict[str, Path])
    embed: bool = False

    def find(
        self, fields: Mapping[str, Any], request: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """Return the address of a row's picture and, of a local one, its name.

        Args:
            fields: What the row holds.
            request: What was asked about it.
        """
        name = fields.get(FILE_COLUMN)
        address = _address(fields, request)
        if self.folder is not None and isinstance(name, str):
            path = self.folder / _path_of(name) if self.folder.is_dir() else self.folder
            return self._local(path, address), name
        for beginning, folder in self.maps.items():
            if address is not None and address.startswith(beginning):
                rest = address.removeprefix(beginning).partition("?")[0].lstrip("/")
                return self._local(folder / rest, address), rest
        return address, None

    def _local(self, path: Path, address: str | None) -> str | None:
        try:
            if not path.is_file():
                return address
            small = thumbnail(path) if self.embed else None
            return small or Path(os.path.abspath(path)).as_uri()  # noqa: PTH100 - links stay
        except InvalidRequestError:
            raise  # it is about this machine, not about this picture
        except (OSError, ValueError):
            return address


def require(option: str) -> None:
    """See to it that Pillow is installed.

    Args:
        option: What needs it, as it is typed.

    Raises:
        InvalidRequestError: It is not; the message says how to install it.
    """
    try:
        import_module("PIL.Image")
    except ImportError:
        raise InvalidRequestError(
            f'{option} needs Pillow: pip install "vimmerse-async[emulator]"',
            field=option.strip("-").replace("-", "_"),
        ) from None


def require_eyes(source: CatalogSource) -> None:
    """See to it that the emulator can look at a catalog's own files, before the first is uploaded.

    Raises:
        InvalidRequestError: It cannot; the message says what to install.
    """
    if source.folder is None and source.locals is None:
        return
    require("--emulator")
    if source.folder is None or find_spec("av") is not None:
        return
    if any(map(_is_video, source.folder.rows())):
        raise InvalidRequestError(
            '--emulator looks at videos with PyAV: pip install "vimmerse-async[video]"',
            field="emulator",
        )


def _is_video(row: CatalogRow) -> bool:
    return row.path is not None and row.path.suffix.lower() in _VIDEOS


def thumbnail(path: Path) -> str | None:
    """Return a small copy of a picture as a `data:` URL; None when it is none.

    Raises:
        InvalidRequestError: Pillow is missing.
    """
    require("--embed")
    pillow: Any = import_module("PIL.Image")
    out = io.BytesIO()
    try:
        with open_regular(path) as stream:
            kind = kind_of(read_head(stream))
            stream.seek(0)
            opened = opener_of(kind) if kind is not None and kind.way == "draw" else pillow.open
            with opened(stream) as picture:
                small = shown(_reduced(picture))
        small.thumbnail(_SIZE)
        small.save(out, "WEBP", quality=70)
    except (ImportError, OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
        return None
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _reduced(picture: Any) -> Any:
    """Return a picture not much larger than it is shown: what is done then costs little."""
    picture.draft("RGB", _SIZE)
    picture.load()
    factor = min(
        side // (2 * least) for side, least in zip(sorted(picture.size), sorted(_SIZE), strict=True)
    )
    return picture.reduce(factor) if factor > 1 and picture.mode in _REDUCIBLE else picture


def _path_of(name: str) -> str:
    """Return where a file is, of a name that is no UTF-8 by its URL."""
    if not name.startswith("file:///"):
        return name
    return os.fsdecode(unquote_to_bytes(name.removeprefix("file://")))


def _address(fields: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    asked = (request.get(name) for name in _ASKED)
    held = (value for value in fields.values())
    return next(
        (text for text in (*asked, *held) if isinstance(text, str) and text[:8] == "https://"), None
    )
