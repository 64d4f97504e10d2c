"""What is wrong with a connection that does not mend by itself, and what mends it.

OpenSSL's reasons are known by their names, without "SSLV3_ALERT_" and the like before them: which
of these stands there changes from version to version.
"""

import os
import re
import ssl as tls
from collections.abc import Mapping
from datetime import UTC, datetime

Cause = tuple[str, str]
"""A `Failure`'s kind, and one sentence."""

TRUST = (
    "if you trust it, pass ssl=ssl.create_default_context(cafile=…), or name the authority's file "
    "in SSL_CERT_FILE"
)
CLIENT_CERTIFICATE = (
    "wants a client certificate{detail}: load yours into a context with load_cert_chain(…), and "
    "pass ssl=context"
)
TALKS_TLS = "speaks TLS there, and was asked without: write https:// in base_url"
SAYS_NOTHING = (
    "never answered anything: it may speak TLS there (then write https:// in base_url), or be no "
    "HTTP server"
)
TALKS_HTTP_2 = (
    "speaks HTTP/2 only{detail}: HTTP/1.1 is spoken here; ask its operator for that, or for a "
    "gateway that does"
)
TURNS_AWAY = (
    "ends connections right after the TLS handshake, before anything is asked: it may speak HTTP/2 "
    "only, or not let this machine in; ask its operator"
)
TALKS_PLAIN = (
    "does not speak TLS there{detail}: is that the right port? Plain http:// is for proxies and "
    "this machine's own servers"
)

_EXPIRED, _EARLY, _SELF_SIGNED, _PRIVATE, _NO_ISSUER = 10, 9, 18, 19, (2, 20, 21)
_OTHER_NAME, _REVOKED, _WEAK = (62, 63, 64), 23, (66, 67, 68)
_CERTIFICATE: Mapping[int, str] = {
    _EXPIRED: "has expired ({words}; by this machine's clock it is {now}): its owner has to renew "
    "it, unless the clock is wrong",
    _EARLY: "is not valid yet ({words}; by this machine's clock it is {now}): set the clock if "
    "that is wrong",
    _SELF_SIGNED: "is not trusted ({words}): nobody but itself vouches for it; " + TRUST,
    _PRIVATE: "is not trusted ({words}): its authority is a private one, or that of a proxy that "
    "looks inside; " + TRUST,
    _REVOKED: "was revoked ({words}): its owner has to replace it",
    **dict.fromkeys(
        _NO_ISSUER,
        "is not trusted ({words}): its server leaves out an intermediate certificate and has to "
        "send the full chain, or its authority is a private one; " + TRUST,
    ),
    **dict.fromkeys(
        _OTHER_NAME,
        "is for another host ({words}): check the host in base_url, or ask its owner for a "
        "certificate with this name",
    ),
    **dict.fromkeys(_WEAK, "is too weak ({words}): its owner has to replace it"),
}
"""By OpenSSL's number of what is wrong (X509_V_ERR_…)."""
_NOT_VALID = "is not valid ({words}): its owner has to replace it"

_NO_VERSION = (
    "and this machine have no TLS version in common{detail}: its operator has to offer TLS 1.2 or "
    "1.3, or a context passed as ssl= to allow what it offers"
)
_WEAK_TLS = "offers TLS of a strength that is refused here{detail}: its operator has to mend that"
_REFUSED_CLIENT = (
    "refuses the client certificate, or wants one{detail}: check what was loaded with "
    "load_cert_chain(…) into the context passed as ssl="
)
_REFUSED = (
    "refused the TLS handshake{detail}: it wants a client certificate (load_cert_chain(…) into a "
    "context, passed as ssl=), or a TLS version or cipher that is not offered here"
)
_HANDSHAKE: Mapping[str, Cause] = {
    name: (kind, sentence)
    for kind, sentence, names in (
        ("certificate", CLIENT_CERTIFICATE, "CERTIFICATE_REQUIRED NO_CERTIFICATE"),
        (
            "certificate", _REFUSED_CLIENT,
            ("BAD_CERTIFICATE UNSUPPORTED_CERTIFICATE CERTIFICATE_REVOKED CERTIFICATE_EXPIRED "
             "CERTIFICATE_UNKNOWN UNKNOWN_CA ACCESS_DENIED"),
        ),
        ("protocol", _REFUSED, "HANDSHAKE_FAILURE"),
        (
            "protocol", _NO_VERSION,
            ("PROTOCOL_VERSION UNSUPPORTED_PROTOCOL VERSION_TOO_LOW NO_PROTOCOLS_AVAILABLE "
             "UNSUPPORTED_SSL_VERSION INAPPROPRIATE_FALLBACK"),
        ),
        (
            "protocol", _WEAK_TLS,
            ("INSUFFICIENT_SECURITY DH_KEY_TOO_SMALL EE_KEY_TOO_SMALL CA_KEY_TOO_SMALL "
             "CA_MD_TOO_WEAK UNSAFE_LEGACY_RENEGOTIATION_DISABLED NO_CIPHERS_AVAILABLE"),
        ),
        (
            "protocol", TALKS_PLAIN,
            ("WRONG_VERSION_NUMBER HTTP_REQUEST HTTPS_PROXY_REQUEST UNKNOWN_PROTOCOL "
             "PACKET_LENGTH_TOO_LONG RECORD_LAYER_FAILURE"),
        ),
        ("protocol", TALKS_HTTP_2, "NO_APPLICATION_PROTOCOL"),
        ("protocol", "knows no such host{detail}: check the host in base_url", "UNRECOGNIZED_NAME"),
    )
    for name in names.split()
}  # fmt: skip
"""By OpenSSL's reason: what no second try can mend."""
_PREFIX = re.compile(r"(?:SSLV3|TLSV13|TLSV1|SSL/TLS)_(?:ALERT_)?")
_WORDS = re.compile(r"\[SSL(?:: \w+)?\] (.*?)(?: \(_?ssl|\Z)", re.DOTALL)

_SETTINGS, _GOAWAY = 4, 7


def certificate_fault(error: tls.CertificateError, place: str) -> str:
    """Return what is wrong with a server's certificate, and its mend."""
    words = getattr(error, "verify_message", "") or "not valid"
    code = getattr(error, "verify_code", 0)
    sentence = _CERTIFICATE.get(code, _NOT_VALID)
    if code in {_SELF_SIGNED, _PRIVATE, *_NO_ISSUER} and (fault := _store_fault()):
        return f"the certificate of {place} is not trusted ({words}): {fault}"
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    about = sentence.format(words=words.rstrip("."), now=now)
    return f"the certificate of {place} {about}"


def handshake_fault(error: BaseException, place: str) -> Cause | None:
    """Return what an error of TLS means that no second try can mend; None when one may."""
    reason = _PREFIX.sub("", reason_of(error), count=1)
    kind, sentence = _HANDSHAKE.get(reason, (None, ""))
    if kind is None:
        return None
    detail = f" ({reason.lower().replace('_', ' ')})"
    return kind, f"{place} {sentence.format(detail=detail)}"


def reason_of(error: BaseException) -> str:
    """Return OpenSSL's name for what went wrong; empty when the error is none of its own."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, str) and reason:
        return reason
    found = _WORDS.search(str(error))  # Python has no names for the newer ones
    return "" if found is None else found[1].strip().upper().replace(" ", "_")


def stranger(first: bytes, place: str) -> Cause | None:
    """Return who speaks when the first bytes of a reply are those of another protocol."""
    if len(first) >= 9 and first[3] in {_SETTINGS, _GOAWAY} and first[5:9] == bytes(4):
        return "protocol", f"{place} {TALKS_HTTP_2.format(detail='')}"
    if first[:2] in {b"\x15\x03", b"\x16\x03"}:
        return "protocol", f"{place} {TALKS_TLS}"
    return None


def _store_fault() -> str | None:
    """Return why this machine trusts nobody; None when it trusts some."""
    named = os.environ.get("SSL_CERT_FILE")
    paths = tls.get_default_verify_paths()
    if named and paths.cafile is None:
        return f"SSL_CERT_FILE names {named!a:.200}, which is no file"
    if paths.cafile is None and paths.capath is None:
        return "this machine trusts nobody at all: install its ca-certificates"
    return None
