"""Uploaded files: in one private folder, under random names, the oldest dropped for the newest."""

import random
import tempfile
from collections import OrderedDict
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

import attrs

from vimmerse_async.emulator.api.reply import refused
from vimmerse_async.emulator.media.kinds import HEAD, NAMES, MediaKind, kind_of

HOST = "media.vimmerse.test"
"""A reserved name (RFC 6761): no resolver finds it, only the emulator knows it."""

_ASSETS_CAP = 100_000


class Incoming:
    """A file on its way in: written piece by piece, digested, and bounded.

    Args:
        path: Where it is written; the name is the server's own.
        family: `image`, `video` or `audio`.
        cap: The most bytes it may have.
    """

    def __init__(self, path: Path, family: str, cap: int) -> None:
        self.path = path
        self.size: int = 0
        self._family = family
        self._cap = cap
        self._head = b""
        self._digest = blake2b(digest_size=8)
        self._file: BinaryIO = path.open("xb")

    def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            RefusedError: 413, the file is over the cap.
        """
        self.size += len(piece)
        if self.size > self._cap:
            raise refused(413, f"the file is larger than {self._cap} bytes")
        if len(self._head) < HEAD:
            self._head += piece[:HEAD]
        self._digest.update(piece)
        self._file.write(piece)

    def finish(self) -> bytes:
        """End the writing and return the digest of the contents."""
        self._file.close()
        return self._digest.digest()

    def kind(self) -> MediaKind:
        """Return the format, read from the first bytes.

        Raises:
            RefusedError: 400, no format that the API takes.
        """
        kind = kind_of(self._head, self._family)
        if kind is None:
            raise refused(400, f"the {self._family} must be one of {NAMES[self._family]}")
        return kind

    def discard(self) -> None:
        """Forget the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@attrs.frozen
class Hosted:
    """What the API knows of one asset.

    Attributes:
        asset: As the API words it.
        path: The file; None: it is hosted elsewhere.
        kind: Of the file.
        size: Bytes.
    """

    asset: dict[str, Any]
    path: Path | None = None
    kind: MediaKind | None = None
    size: int = 0


class Hosting:
    """The assets, found by id.

    Args:
        seed: Of the ids.
        file_cap: The most bytes of one file.
        total_cap: The most bytes of all; beyond it the oldest are dropped.
    """

    def __init__(self, *, seed: int, file_cap: int, total_cap: int) -> None:
        self.file_cap = file_cap
        self._total_cap = total_cap
        self._seed = f"assets {seed}"
        self._ids = random.Random(self._seed)  # noqa: S311 - names, not secrets
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._assets: OrderedDict[str, Hosted] = OrderedDict()
        self._size = 0

    def receive(self, family: str) -> Incoming:
        """Begin to take a file in."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="vimmerse-emulator-")
        return Incoming(Path(self._folder.name) / self._new_id(), family, self.file_cap)

    def url_of(self, incoming: Incoming) -> str:
        """Return the URL under which a file that has come in is, or will be, hosted.

        Raises:
            RefusedError: 400, no format that the API takes.
        """
        return f"https://{HOST}/{incoming.path.name}{incoming.kind().suffix}"

    def keep(self, incoming: Incoming) -> dict[str, Any]:
        """Host a file that has come in whole, and return its asset.

        Raises:
            RefusedError: 400, no format that the API takes.
        """
        kind = incoming.kind()
        asset = _asset(incoming.path.name, self.url_of(incoming), kind.mime_type)
        self._add(Hosted(asset, incoming.path, kind, incoming.size))
        return asset

    def forget(self, incoming: Incoming) -> None:
        """Drop a file, whether it is hosted already or not."""
        hosted = self._assets.pop(incoming.path.name, None)
        if hosted is not None:
            self._size -= hosted.size
        incoming.discard()

    def refer(self, url: str, mime_type: str) -> dict[str, Any]:
        """Return the asset of a file that stays where it is."""
        asset = _asset(self._new_id(), url, mime_type)
        self._add(Hosted(asset))
        return asset

    def find(self, identity: str) -> Hosted | None:
        """Return the asset of this id; None: never made, or dropped since."""
        return self._assets.get(identity)

    def find_file(self, name: str) -> Hosted | None:
        """Return the hosted file with this name, id and suffix; None: there is none."""
        identity, dot, suffix = name.partition(".")
        hosted = self._assets.get(identity)
        return hosted if hosted and hosted.kind and dot + suffix == hosted.kind.suffix else None

    def clear(self) -> None:
        """Forget everything; the ids begin anew too."""
        self._ids.seed(self._seed)
        self._assets.clear()
        self._size = 0
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _add(self, hosted: Hosted) -> None:
        self._assets[hosted.asset["id"]] = hosted
        self._size += hosted.size
        while self._size > self._total_cap or len(self._assets) > _ASSETS_CAP:
            _, oldest = self._assets.popitem(last=False)
            self._size -= oldest.size
            if oldest.path is not None:
                oldest.path.unlink(missing_ok=True)

    def _new_id(self) -> str:
        return f"{self._ids.getrandbits(96):024x}"


def _asset(identity: str, url: str, mime_type: str) -> dict[str, Any]:
    now = str(datetime.now(UTC))
    return {
        "id": identity,
        "customer_id": "emulator",
        "primary_user_id": "emulator",
        "args": {},
        "results": [url],
        "thumbnails": [url] if mime_type.startswith("image/") else [],
        "status": "success",
        "mime_type": mime_type,
        "app_name": "emulator",
        "quantity": 1,
        "created_at": now,
        "updated_at": now,
        "history": [],
    }
