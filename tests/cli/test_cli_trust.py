"""Authorities and certificates of one's own, by options of the command."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from vimmerse_async import decode
from vimmerse_async.cli.errors import in_words_of_the_command
from vimmerse_async.emulator import Emulator
from vimmerse_async.http import causes

ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"a caption"'
)


@contextlib.contextmanager
def asking_who_comes(authority: trustme.CA) -> Iterator[str]:
    """Answer whoever shows a certificate of an authority's; give the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(listening: socket.socket) -> None:
        while True:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                taken.settimeout(10.0)
                with context.wrap_socket(taken, server_side=True) as line:
                    line.recv(65_536)
                    line.sendall(ANSWER)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_an_authority_of_ones_own_is_an_option(vimmerse: Callable[..., Any]) -> None:
    """`--ca-file` is trusted beside the system's; the error without it names it."""
    with Emulator(tls=True) as emulator:
        Path("ca.pem").write_bytes(emulator.ca_pem)
        asked = ("refine", "a cat", "--base-url", emulator.url)
        refused = vimmerse(*asked)
        assert refused.code == 3
        assert "name its authority's file with --ca-file" in refused.err
        assert vimmerse(*asked, "--ca-file", "ca.pem").out.startswith("a cat")


def test_a_client_certificate_is_an_option(vimmerse: Callable[..., Any]) -> None:
    """`--client-cert` is shown to who asks for one; the error without it names it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    identity = authority.issue_cert("me@example.org")
    identity.private_key_and_cert_chain_pem.write_to_path("me.pem")
    with asking_who_comes(authority) as url:
        asked = ("refine", "a cat", "--base-url", url, "--ca-file", "ca.pem")
        refused = vimmerse(*asked)
        assert refused.code == 3
        assert "--client-cert" in refused.err
        assert vimmerse(*asked, "--client-cert", "me.pem").out == "a caption\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ca-file", "none.pem"), "--ca-file none.pem cannot be read: no such file"),
        (("--ca-file", "text.txt"), "--ca-file text.txt holds no certificates"),
        (("--client-cert", "none.pem"), "--client-cert none.pem cannot be read: no such file"),
        (("--client-cert", "text.txt"), "must hold a certificate and its private key"),
        (("--client-cert", "locked.pem"), "the key in locked.pem has a password"),
        (("--client-cert", "text.txt", "--emulator"), "--emulator is asked without TLS"),
    ],
)
def test_a_file_that_cannot_help_is_named(
    vimmerse: Callable[..., Any], words: tuple[str, ...], said: str
) -> None:
    """It ends with 2 before anything is sent, and says what the file should hold."""
    Path("text.txt").write_text("a cat\n")
    identity = trustme.CA().issue_cert("me@example.org")
    key = serialization.load_pem_private_key(identity.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    Path("locked.pem").write_bytes(locked + identity.cert_chain_pems[0].bytes())
    ended = vimmerse("refine", "a cat", *words)
    assert ended.code == 2
    assert said in ended.err.replace("No such file", "no such file")
    assert len(ended.err.splitlines()) == 1


def sentences() -> Iterator[str]:
    """Give all that is said of connections that no waiting mends."""
    tables = (causes._CERTIFICATE.values(), (said for _, said in causes._HANDSHAKE.values()))
    for table in (*tables, decode._WAYS.values()):
        yield from table
    yield from (said for name, said in vars(causes).items() if re.match(r"[A-Z]", name))


def test_the_command_speaks_of_its_own_options() -> None:
    """What mends a connection is said in options, never in Python."""
    spoken = [in_words_of_the_command(said) for said in sentences() if isinstance(said, str)]
    assert len(spoken) > 30
    for said in spoken:
        assert not re.search(r"ssl=|create_default_context|load_cert_chain|\bbase_url\b", said)
