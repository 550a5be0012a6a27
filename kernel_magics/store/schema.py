"""The index: an SQLite file that can be thrown away at any time. Its truth is the journals.

There are no migrations. A file of another schema, of another data folder, or a damaged one is deleted and
built anew. One process at a time writes, under an advisory lock beside the file, through one connection;
everybody else opens it ``mode=ro``. So nobody meets the WAL-reset race of SQLite 3.7.0 to 3.51.2
(sqlite.org/wal.html#walresetbug), which needs two writing or checkpointing connections.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from kernel_magics import paths
from kernel_magics.errors import DataFolderError

SCHEMA = 7
"""Raised with every change of the tables, of the encodings, or of what is derived from a journal."""

TABLES = (
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE run(id INTEGER PRIMARY KEY, run_id TEXT UNIQUE NOT NULL, name TEXT, project TEXT, grp TEXT,"
    " tags TEXT, created REAL, state TEXT, detail TEXT, finished REAL, error TEXT, config TEXT, summary TEXT,"
    " light TEXT, writers TEXT, marks TEXT, edited REAL, extremes TEXT, changed INTEGER NOT NULL)",
    "CREATE INDEX run_changed ON run(changed)",
    "CREATE INDEX run_created ON run(created)",
    "CREATE TABLE facts(run INTEGER PRIMARY KEY, facts TEXT)",
    "CREATE TABLE journal(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, writer TEXT NOT NULL,"
    " offset INTEGER NOT NULL, seen INTEGER NOT NULL, began REAL NOT NULL, document TEXT, refused TEXT,"
    " UNIQUE(run, writer))",
    "CREATE TABLE damage(journal INTEGER, offset INTEGER, detail TEXT, PRIMARY KEY(journal, offset, detail))"
    " WITHOUT ROWID",
    "CREATE TABLE layout(journal INTEGER, number INTEGER, metrics TEXT, PRIMARY KEY(journal, number))"
    " WITHOUT ROWID",
    "CREATE TABLE local(journal INTEGER, number INTEGER, stream INTEGER, PRIMARY KEY(journal, number))"
    " WITHOUT ROWID",
    "CREATE TABLE stream(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, journal INTEGER NOT NULL,"
    " name TEXT NOT NULL, source TEXT NOT NULL, unit TEXT, better TEXT, x TEXT, n INTEGER NOT NULL DEFAULT 0,"
    " last REAL, last_step INTEGER, last_time REAL, low REAL, low_step INTEGER, high REAL, high_step INTEGER,"
    " step_lo REAL, step_hi REAL, time_lo REAL, time_hi REAL, added INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, UNIQUE(journal, name, source))",
    "CREATE INDEX stream_run ON stream(run, name)",
    "CREATE INDEX stream_changed ON stream(changed)",
    "CREATE INDEX stream_added ON stream(added)",
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, step_e INTEGER, step_lo REAL, step_hi REAL, time_e INTEGER,"
    " time_lo REAL, time_hi REAL, by_step BLOB, by_time BLOB, data BLOB)",
    "CREATE TABLE node(id INTEGER PRIMARY KEY, e INTEGER, lo REAL, hi REAL, crc INTEGER, buckets BLOB)",
    "CREATE TABLE tail(id INTEGER PRIMARY KEY, data BLOB)",
    "CREATE TABLE frame(journal INTEGER, offset INTEGER, length INTEGER, kind INTEGER,"
    " PRIMARY KEY(journal, offset)) WITHOUT ROWID",
    "CREATE TABLE gone(run_id TEXT PRIMARY KEY, changed INTEGER NOT NULL) WITHOUT ROWID",
)

LONG_LOG = 1024 * 1024
"""Bytes of SQLite's log that are worth the time it takes to make it short."""
INDEX_BITS = 26
"""Of a chunk's number within its stream; the stream stands above them."""
NODE_BITS = INDEX_BITS + 6
TAIL_BITS = 13


def chunk_id(stream: int, index: int) -> int:
    """Row of a stream's chunk: chunks of a stream lie together."""
    return stream << INDEX_BITS | index


def node_id(stream: int, axis: str, level: int, index: int) -> int:
    """Row of a stream's summary of ``2**level`` chunks."""
    return (stream << 6 | (axis == "time") << 5 | level) << INDEX_BITS | index


def tail_id(stream: int, start: int) -> int:
    """Row of a piece of a stream's open tail; ``start`` counts from the end of the last chunk."""
    return stream << TAIL_BITS | start


def index_path(data_dir: Path, cache_dir: Path | None = None) -> Path:
    """Where the index of a data folder lies: on a local disk even if the data folder is not."""
    from hashlib import sha256  # brings OpenSSL into memory: only where an index is opened

    digest = sha256(os.path.realpath(data_dir).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return (cache_dir or paths.cache_dir()) / "index" / f"{digest}.sqlite"


class IngestLock:
    """The right to write an index: a ``flock`` on ``<index>.lock``, free again when its process dies.

    ``flock`` and not ``lockf``: two stores of one process exclude each other too.
    """

    def __init__(self, index: Path) -> None:
        self._path = index.with_suffix(".lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Takes it if it is free; answers whether it is held now."""
        if self._descriptor is not None:
            return True
        try:
            paths.make_private_folder(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(
                f"The index cannot be written: {error.strerror} ({self._path}). What was recorded is safe.",
                remedy="set XDG_CACHE_HOME to a folder that you may write",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Gives it back; can be called again."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for copies that a fork took along
            os.close(descriptor)


def open_writer(path: Path, data_dir: Path) -> sqlite3.Connection:
    """The writing connection; only for who holds the :class:`IngestLock`. An unfit index is built anew,
    empty."""
    if path.exists():
        try:
            connection = _connect_writer(path)
            if _fits(connection, data_dir):
                return connection
            connection.close()
        except sqlite3.DatabaseError:
            pass  # damaged, or no database at all: replaced below
    _make(path, data_dir)
    return _connect_writer(path)


def close_writer(connection: sqlite3.Connection, path: Path) -> None:
    """Closes the writing connection; a long log is taken into the index first, unless somebody reads it.

    While readers have the index open SQLite leaves the log as it is, and every process that opens the index
    later reads it through from its beginning.
    """
    try:
        if Path(f"{path}-wal").stat().st_size > LONG_LOG:
            connection.execute("PRAGMA busy_timeout=0")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except (OSError, sqlite3.DatabaseError):
        pass  # nothing is lost: the log keeps what it has, and damage is found by whoever reads
    connection.close()


def _make(path: Path, data_dir: Path) -> None:
    """An empty index under another name, which then takes its place: a reader meets nothing, or all of it.

    Killed in the middle of making a database, SQLite leaves one that only a writer can open.
    """
    incoming = path.with_suffix(".new")
    discard(incoming)
    connection = _connect_writer(incoming)
    incoming.chmod(0o600)
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES:
        connection.execute(statement)
    rows = [("schema", SCHEMA), ("data_dir", os.path.realpath(data_dir)), ("commit", 0)]
    connection.executemany("INSERT INTO meta VALUES(?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()  # the last connection to close leaves one file, without a log
    discard(path)  # with the log of one that was here: SQLite would take it for the new one's
    incoming.rename(path)


def open_reader(path: Path) -> sqlite3.Connection:
    """A reading connection; one that is not there (yet) reads as an empty one.

    Raises:
        sqlite3.DatabaseError: the file is no index of this schema.
    """
    if not path.exists():
        return _nothing()
    uri = path.absolute().as_uri() + "?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA mmap_size=268435456")
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.close()
        return _nothing()  # it is being made this instant
    row = connection.execute("SELECT value FROM meta WHERE key='schema'").fetchone()
    if row is None or row[0] != SCHEMA:
        connection.close()
        raise sqlite3.DatabaseError("an index of another schema")
    return connection


def _nothing() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for statement in TABLES:
        connection.execute(statement)
    return connection


def discard(path: Path) -> None:
    """Deletes an index; readers that have it open keep their view until they look again."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def drop_run(sql: sqlite3.Connection, run_id: str) -> None:
    """Deletes all that the index knows of a run, inside the caller's transaction."""
    found = sql.execute("SELECT id FROM run WHERE run_id=?", (run_id,)).fetchone()
    if found is None:
        return
    (run,) = found
    for (stream,) in sql.execute("SELECT id FROM stream WHERE run=?", (run,)).fetchall():
        for table, bits in (("chunk", INDEX_BITS), ("tail", TAIL_BITS), ("node", NODE_BITS)):
            rows = stream << bits, ((stream + 1) << bits) - 1
            sql.execute(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", rows)
    for (journal,) in sql.execute("SELECT id FROM journal WHERE run=?", (run,)).fetchall():
        for table in ("damage", "layout", "local", "frame"):
            sql.execute(f"DELETE FROM {table} WHERE journal=?", (journal,))
    for table, column in (("stream", "run"), ("journal", "run"), ("facts", "run"), ("run", "id")):
        sql.execute(f"DELETE FROM {table} WHERE {column}=?", (run,))


def _connect_writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")
    connection.execute("PRAGMA cache_size=-32768")
    return connection


def _fits(connection: sqlite3.Connection, data_dir: Path) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name='meta'").fetchone()[0]
    if not tables:
        return False
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    return meta.get("schema") == SCHEMA and meta.get("data_dir") == os.path.realpath(data_dir)
