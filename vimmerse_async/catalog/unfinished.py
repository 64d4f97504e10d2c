"""Errors that say nothing about a row: asked again, it may well be answered."""

from vimmerse_async.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InsufficientCreditsError,
    InternalServerError,
    PermissionDeniedError,
    RateLimitError,
)

FATAL = (AuthenticationError, InsufficientCreditsError)
"""Every batch stops at these."""
ACCOUNT = (*FATAL, PermissionDeniedError, RateLimitError)
SERVICE = (APIConnectionError, APITimeoutError, InternalServerError)
UNFINISHED = (*ACCOUNT, *SERVICE)
