"""The private names of aiohttp that the pool relies on: a new aiohttp that lacks one fails here."""

import inspect
import tomllib
from pathlib import Path

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import BaseConnector, Connection, TCPConnector
from aiohttp.http_exceptions import HttpProcessingError

from vimmerse_async import refine_prompt
from vimmerse_async.http.pool import READ, GuardedConnector, GuardedProtocol


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
    connector = GuardedConnector("http://127.0.0.1:9")
    try:
        protocol = connector._factory()
        assert type(protocol) is GuardedProtocol
        assert protocol._payload is None
        assert {"_conns", "_acquired", "_factory"} <= vars(connector).keys()
    finally:
        await connector.close()


def test_a_connection_is_asked_for_and_driven_by_these_names():
    """A small request is written to a connection, and its reply is read from it."""
    assert parameters(BaseConnector.connect) == ["self", "req", "traces", "timeout"]
    assert {"method", "url", "loop"} <= set(parameters(aiohttp.ClientRequest.__init__))
    assert isinstance(inspect.getattr_static(aiohttp.ClientRequest, "connection_key"), property)
    assert {"skip_payload", "read_until_eof", "auto_decompress"} <= set(
        parameters(ResponseHandler.set_response_params)
    )
    assert parameters(ResponseHandler.resume_reading) == ["self", "resume_parser"]
    assert inspect.iscoroutinefunction(ResponseHandler.read)
    for name in ("is_eof", "at_eof", "read_nowait", "readchunk", "exception"):
        assert callable(getattr(aiohttp.StreamReader, name))


async def test_a_new_connection_has_these_names(serve):
    """Its reads are made small, pausing is looked up, and it leaves aiohttp's `Connection`."""
    server = await serve()
    connector = GuardedConnector(server.url)
    try:
        connection = await connector.connect(connector._request, [], aiohttp.ClientTimeout())
        protocol = connection._protocol
        assert protocol is connection.protocol
        assert (protocol._reading_paused, protocol._buffer_paused) == (False, False)
        assert protocol.transport.max_size == READ
        assert type(protocol.transport).max_size > READ
        connection.close()
        assert connector._cleanup_handle is None
    finally:
        await connector.close()


async def test_the_pools_of_both_ways_are_one(serve, connect):
    """A connection that carried an upload's kind of request is used by a small one, too."""
    server = await serve()
    session = await connect(server)
    await refine_prompt(session, "x" * 100_000)
    await refine_prompt(session, "x")
    await refine_prompt(session, "x" * 100_000)
    assert [ask.connection for ask in server.requests] == [0, 0, 0]


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
