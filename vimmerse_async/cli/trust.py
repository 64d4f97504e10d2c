"""Whom a command trusts, and as whom it comes: the TLS context that its options describe."""

import ssl
import sys

import rich_click as click

_NO_CERTIFICATES = "holds no certificates: it takes PEM, which begins -----BEGIN CERTIFICATE-----"
_NO_IDENTITY = (
    "must hold a certificate and its private key, both in PEM; one file of the two can be made "
    "with `cat`"
)


def context_of(ca_file: str | None, client_cert: str | None) -> ssl.SSLContext | None:
    """Return the context of a session; None: the usual one.

    Args:
        ca_file: Authorities to trust beside the system's, in PEM; None: no others.
        client_cert: The certificate to show and its private key, in PEM; None: none.

    Raises:
        UsageError: A file cannot be read, or does not hold what it should.
    """
    if ca_file is None and client_cert is None:
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except ssl.SSLError:
            raise click.UsageError(f"--ca-file {ca_file} {_NO_CERTIFICATES}") from None
        except OSError as error:
            raise _unreadable("--ca-file", ca_file, error) from None
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, password=lambda: _password(client_cert))
        except ssl.SSLError:
            raise click.UsageError(f"--client-cert {client_cert} {_NO_IDENTITY}") from None
        except OSError as error:
            raise _unreadable("--client-cert", client_cert, error) from None
    return context


def _unreadable(option: str, path: str, error: OSError) -> click.UsageError:
    return click.UsageError(f"{option} {path} cannot be read: {error.strerror or error}")


def _password(path: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"the key in {path} has a password, for which nobody can be asked without a terminal: "
            "decrypt it with `openssl pkey`"
        )
    found: str = click.prompt(f"password of the key in {path}", hide_input=True, err=True)
    return found
