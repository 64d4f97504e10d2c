"""Integrations run against a scripted server in virtual time."""

from in_virtual_time import anyio_backend, server

__all__ = ["anyio_backend", "server"]
