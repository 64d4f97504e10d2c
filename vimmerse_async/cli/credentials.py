"""Where a command's key comes from: a file that was named, the environment, `.env`, the keyring."""

import os
import stat
from pathlib import Path
from typing import Any

import attrs
import rich_click as click
from yarl import URL

from vimmerse_async import system
from vimmerse_async.cli.terminal import warn
from vimmerse_async.config import BASE_URL_VARIABLE, DEFAULT_BASE_URL, KEY_VARIABLE, Secret
from vimmerse_async.errors import ConfigurationError

_LONGEST_KEY_FILE = 4_096
_DOTENV = Path(".env")
_SERVICE = "vimmerse-async"


@attrs.frozen
class Credentials:
    """A key, and where it may go.

    Attributes:
        key: None: the session reads the environment's.
        base_url: None: the environment's, else the vendor's.
    """

    key: Secret | None
    base_url: str | None


def credentials(key_file: str | None, base_url: str | None) -> Credentials:
    """Return the key of the first place that has one.

    Args:
        key_file: Was typed; None for nothing.
        base_url: Was typed; None for nothing.

    Raises:
        ConfigurationError: No place has a key, or a file cannot be read.
    """
    if key_file is not None:
        return Credentials(read_key(key_file), base_url)
    if os.environ.get(KEY_VARIABLE):
        return Credentials(None, base_url)
    written = _dotenv()
    address = base_url or os.environ.get(BASE_URL_VARIABLE)
    if written.get(KEY_VARIABLE):
        # its address counts with its key only: no file of a folder leads another key away
        return Credentials(Secret(written[KEY_VARIABLE]), address or written.get(BASE_URL_VARIABLE))
    kept = _keyring_key(address)
    if kept is None:
        raise ConfigurationError(
            f"no API key: set {KEY_VARIABLE}, write it into .env, keep it with `vimmerse login`, "
            "name a file with --api-key-file, or try it with --emulator",
            field="api_key",
        )
    return Credentials(kept, base_url)


def keep(key: Secret | None, base_url: str | None) -> str:
    """Keep a key in the system's keyring, or forget it, and return the origin that it is for.

    Args:
        key: None to forget.
        base_url: The server that it is for; None: the environment's, else the vendor's.

    Raises:
        UsageError: There is no keyring, or it refuses.
    """
    try:
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError, PasswordDeleteError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise click.UsageError(
            'the system\'s keyring needs an extra: pip install "vimmerse-async[keyring]"'
        ) from None
    origin = _origin(base_url or os.environ.get(BASE_URL_VARIABLE))
    try:
        if key is None:
            keyring.delete_password(_SERVICE, origin)
        else:
            keyring.set_password(_SERVICE, origin, str(key))
    except PasswordDeleteError:
        raise click.UsageError(f"the keyring has no key for {origin}") from None
    except KeyringError as error:
        raise click.UsageError(
            f"the keyring cannot be used ({error}); {KEY_VARIABLE} or --api-key-file can"
        ) from None
    return origin


def read_key(name: str) -> Secret:
    """Return the key that a file holds, without white space around it.

    Raises:
        ConfigurationError: The file cannot be read, or holds nothing.
    """
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - may be /dev/fd/63
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST_KEY_FILE)
        key = Secret(content.decode("utf-8-sig").strip())
    except OSError as error:
        raise ConfigurationError(
            f"the key file {name!a:.200} cannot be read: {error.strerror}", field="api_key"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"the key file {name!a:.200} holds no text", field="api_key"
        ) from None
    if not key:
        raise ConfigurationError(f"the key file {name!a:.200} is empty", field="api_key")
    if system.user() is not None and stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        warn(f"warning: other users can read the key file {name}: chmod 600 {name}")
    return key


def _dotenv() -> dict[str, str]:
    if not _DOTENV.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - few folders have such a file

    try:
        found = dotenv_values(_DOTENV, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"the file .env cannot be read: {error}", field="api_key"
        ) from None
    return {name: value for name, value in found.items() if value}


def _keyring_key(base_url: str | None) -> Secret | None:
    try:
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    try:
        found: Any = keyring.get_password(_SERVICE, _origin(base_url))
    except KeyringError:
        return None
    return None if found is None else Secret(found)


def _origin(base_url: str | None) -> str:
    try:
        return str(URL(base_url or DEFAULT_BASE_URL).origin())
    except ValueError:
        raise ConfigurationError(
            "base_url must be an address, such as https://api.example", field="base_url"
        ) from None
