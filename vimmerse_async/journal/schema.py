"""The journal's tables: what they hold, how they are made, and which versions can be read.

A journal is one SQLite database, readable with any SQLite tool:

    $ sqlite3 run.db 'SELECT prompt FROM results WHERE state = "answered" LIMIT 5'
    $ sqlite3 run.db 'SELECT * FROM errors'
"""

import sqlite3
import time

from vimmerse_async._version import __version__
from vimmerse_async.errors import JournalError

APPLICATION_ID = 0x56494D4A
"""What SQLite's header says the file is: "VIMJ"."""
VERSION = 4
"""The schema's version, in `PRAGMA user_version`."""
WITH_OUTPUTS, WITH_MARKS, WITH_PLACES = 2, 3, 4
"""The versions from which on a journal has the tables `files` and `outputs`; `marks` and the
others that people's judgement needs; results that are `placed` in an index."""
SMALL = 64 << 20
"""Bytes up to which a journal is checked as a whole when it is opened, in a fraction of a second;
of a larger one the small tables are, and each page when it is read."""

RESULT_COLUMNS = (
    "question", "state", "prompt", "error_class", "error", "status", "request",
    "attempts", "possibly_charged", "elapsed", "run", "finished_at",
)  # fmt: skip

_TABLES = """
CREATE TABLE meta (            -- facts about the journal: origin, created_at, written_by
    name TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;

CREATE TABLE runs (            -- one line for each time that a batch used the journal
    run INTEGER PRIMARY KEY,
    started_at REAL,           -- seconds since 1970, as everywhere here; what comes later in a
                               -- run is this and the seconds since, whatever the clock was set to
    ended_at REAL,             -- NULL: it runs, or was killed
    outcome TEXT,              -- finished, interrupted, cancelled, failed, killed, a stop's reason
    source TEXT,               -- where the rows came from, as far as known
    options TEXT,              -- JSON: what was asked for
    calls INTEGER,             -- requests that were not refused by 429
    refused INTEGER,           -- requests answered with 429
    answered INTEGER,          -- rows with a prompt that was asked for
    failed INTEGER,            -- rows that failed
    cached INTEGER,            -- rows whose answer was known already
    possibly_charged INTEGER,  -- requests that may have been billed although no answer arrived
    most_under_way INTEGER     -- calls that a kill can have cost: sent, their results not here yet
);

CREATE TABLE results (         -- one line for each question
    line INTEGER PRIMARY KEY,  -- in the order in which they first came
    question BLOB NOT NULL,    -- 16 bytes that stand for what was asked
    state TEXT NOT NULL CHECK (state IN ('answered', 'rejected', 'unfinished')),
    prompt TEXT,               -- the answer; NULL when there is none
    error_class TEXT,          -- why there is none
    error TEXT,
    status INTEGER,            -- the HTTP status of the error; NULL when there was none
    request TEXT,              -- JSON: what was asked
    attempts INTEGER,          -- requests made for it, those answered with 429 not counted
    possibly_charged INTEGER,
    elapsed REAL,              -- seconds from the first send to the answer
    run INTEGER,               -- the run that wrote this line
    finished_at REAL,
    placed INTEGER             -- 1: found by its question in the index; NULL: one of the newest
);
CREATE UNIQUE INDEX placed ON results (question) WHERE placed IS NOT NULL;
CREATE INDEX failures ON results (state, error_class) WHERE state <> 'answered';

CREATE TABLE uploads (         -- what was uploaded, by the digest of its bytes
    digest BLOB PRIMARY KEY,
    url TEXT,
    asset_id TEXT,
    uploaded_at REAL
) WITHOUT ROWID;

CREATE TABLE limits (          -- what the account's limits were found to be
    name TEXT PRIMARY KEY,
    snapshot TEXT,             -- JSON
    learned_at REAL
) WITHOUT ROWID;

CREATE TABLE samples (         -- every few seconds of a run, for its timeline
    run INTEGER,
    at REAL,
    in_flight INTEGER,
    window REAL,
    rate REAL,                 -- NULL: not limited
    done INTEGER,
    refused INTEGER
);

CREATE VIEW errors AS
    SELECT state, error_class, count(*) AS questions, min(error) AS example
    FROM results WHERE state <> 'answered' GROUP BY state, error_class ORDER BY questions DESC;
"""
_SINCE_2 = """
CREATE TABLE files (           -- local files that were read to know them, not read again as long
    path TEXT PRIMARY KEY,     -- as size and time stay
    size INTEGER,
    mtime_ns INTEGER,
    digest BLOB                -- of the bytes
) WITHOUT ROWID;

CREATE TABLE outputs (         -- files that were written, to tell them from those of others
    path TEXT,                 -- as seen from the journal's folder
    digest BLOB,               -- of the bytes
    size INTEGER,
    mtime_ns INTEGER,
    rows INTEGER,
    missing INTEGER,           -- rows that were not asked yet
    asked TEXT,                -- stands for what was asked about each row
    source TEXT,               -- the catalog
    stands_for TEXT,           -- the output that was not replaced by it; NULL: none
    PRIMARY KEY (path, digest)
) WITHOUT ROWID;
"""
_SINCE_3 = """
CREATE TABLE marks (           -- what people think of answers
    question BLOB PRIMARY KEY, -- the question that was answered
    mark TEXT CHECK (mark IN ('good', 'bad')),
    edited TEXT,               -- what stands in the output instead of the answer
    note TEXT,
    marked_at REAL
) WITHOUT ROWID;

CREATE TABLE versions (        -- questions that were asked again in other words
    question BLOB,             -- what the row asks
    version INTEGER,           -- from 1; of those with an answer the last one stands
    asked BLOB,                -- what was asked instead
    round INTEGER,             -- the run in which that began
    PRIMARY KEY (question, version)
) WITHOUT ROWID;

CREATE TABLE checks (          -- answers that look wrong
    question BLOB PRIMARY KEY,
    found TEXT                 -- in which ways, with commas between them
) WITHOUT ROWID;

CREATE TABLE similar (         -- pictures that look like one that came before
    digest BLOB PRIMARY KEY,   -- of the bytes
    first BLOB                 -- the digest of that one
) WITHOUT ROWID;

CREATE TABLE orders (          -- what a run is told while it goes on
    name TEXT PRIMARY KEY,
    value TEXT,
    given_at REAL
) WITHOUT ROWID;

CREATE TABLE moments (         -- what a run does at the moment, while somebody watches it
    run INTEGER PRIMARY KEY,
    at REAL,
    state TEXT                 -- JSON
);
"""
_UPGRADES = {
    1: f"DROP VIEW catalog;\nDROP TABLE rows;\n{_SINCE_2}",
    2: _SINCE_3,
    3: "ALTER TABLE results ADD COLUMN placed INTEGER DEFAULT 1",  # an older index never lags
}
"""What makes the next version of one; no answer is ever lost by it."""


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    _execute(connection, _TABLES + _SINCE_2 + _SINCE_3)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [("created_at", time.time()), ("written_by", f"vimmerse-async {__version__}")],
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def upgrade(connection: sqlite3.Connection) -> None:
    """Make an older journal one of this version, wholly or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    for version in range(version_of(connection), VERSION):
        _execute(connection, _UPGRADES[version])
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a journal's tables."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether there is nothing in the database: it is new, or its making was cut short."""
    count: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return count == 0


def check(connection: sqlite3.Connection, name: str, *, whole: bool) -> None:
    """Raise `JournalError` unless the database is a sound journal that this version can read.

    Args:
        connection: To the database.
        name: The file, for messages.
        whole: Look at every page; else only at the small tables.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError(f"{name} is a database, but no journal", kind="mismatch")
    version = version_of(connection)
    if version > VERSION:
        raise JournalError(
            f"{name} was written by a newer vimmerse-async (schema {version}, this one knows "
            f"{VERSION}): upgrade, or use another journal",
            kind="mismatch",
        )
    checks = ["quick_check(1)"]
    if not whole:
        checks = [f"quick_check({table})" for table in ("meta", "runs", "limits", "uploads")]
    for each in checks:
        found = connection.execute(f"PRAGMA {each}").fetchone()[0]
        if found != "ok":
            raise damaged(name, found)


def damaged(name: str, fault: object) -> JournalError:
    """Return the error for a journal that cannot be trusted."""
    words = " ".join(str(fault).split())[:200]
    return JournalError(
        f"{name} is damaged ({words}); nothing was changed in it: restore a copy, or move it away "
        "to begin anew",
        kind="corrupt",
    )


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            connection.execute(statement)
