"""The private names of aiohttp that the pool relies on: a new aiohttp that lacks one fails here."""

import inspect
import tomllib
from pathlib import Path

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection, TCPConnector
from aiohttp.http_exceptions import HttpProcessingError

from vimmerse_async.connector import GuardedConnector, GuardedProtocol


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_the_connector_has_its_names():
    """The pool is asked, refilled and closed through the methods that we override."""
    assert parameters(BaseConnector._get) == ["self", "key", "traces"]
    assert inspect.iscoroutinefunction(BaseConnector._get)
    assert parameters(BaseConnector._release) == ["self", "key", "protocol", "should_close"]
    assert parameters(TCPConnector._create_connection) == ["self", "req", "traces", "timeout"]
    assert parameters(BaseConnector._close) == ["self", "abort_ssl"]
    assert isinstance(inspect.getattr_static(Connection, "protocol"), property)


def test_the_protocol_has_its_names():
    """A connection is told of bytes and failures through the methods that we override."""
    assert parameters(ResponseHandler.data_received) == ["self", "data"]
    assert parameters(ResponseHandler.set_exception) == ["self", "exc", "exc_cause"]
    assert isinstance(inspect.getattr_static(ResponseHandler, "should_close"), property)
    assert callable(ResponseHandler.force_close)
    assert callable(ResponseHandler.abort)


async def test_the_instances_have_their_names():
    """What is set on instances is there, and connections come from our factory."""
    connector = GuardedConnector()
    try:
        protocol = connector._factory()
        assert type(protocol) is GuardedProtocol
        assert protocol._payload is None
        assert {"_conns", "_acquired", "_factory"} <= vars(connector).keys()
    finally:
        await connector.close()


async def test_the_session_has_its_name():
    """It repeats lost GETs unless it is told not to by this name."""
    async with aiohttp.ClientSession() as session:
        assert session._retry_connection is True


def test_a_body_is_written_by_the_method_that_we_override():
    """The last look at a connection happens where aiohttp writes the body."""
    assert parameters(aiohttp.BytesPayload.write_with_length) == [
        "self", "writer", "content_length",
    ]  # fmt: skip
    assert parameters(aiohttp.MultipartWriter.write) == ["self", "writer", "close_boundary"]
    assert "protocol" in vars(aiohttp.http_writer.StreamWriter)


def test_parser_errors_have_a_name_outside_of_client_error():
    """They escape aiohttp's own tree, so they are caught by their own class."""
    assert not issubclass(HttpProcessingError, aiohttp.ClientError)


def test_the_pin_is_declared():
    """Only versions of aiohttp that these names were seen in are installed."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert "aiohttp>=3.14.5,<4" in project["project"]["dependencies"]
