"""Open the store: engine, schema version, sessions. The only place that knows SQLite from Postgres.

A new database is created at the head revision; an older one is refused with the hint `karl db upgrade`, a newer one
with the hint to upgrade karl. Alembic (0.4 s to import) is loaded by `upgrade` alone.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, SQLModel

import store.models  # noqa: F401  (registers the tables on SQLModel.metadata)
from store.errors import KarlError, UsageError

HEAD = "0007"  # newest file of migrations/versions; a test compares
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30.0
VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


class Store:
    """A database of one KARL_HOME or one team. Rows read in a session stay readable after it.

    patience: seconds that a locked SQLite file is waited for.
    """

    def __init__(self, url: str, *, patience: float = BUSY_SECONDS) -> None:
        self.url = normalise_url(url)
        self.engine = make_engine(self.url, patience=patience)

    @classmethod
    def open(cls, url: str, *, patience: float = BUSY_SECONDS) -> Self:
        """Open at the head revision, creating a new database if there is none.

        Raises: UsageError for a wrong URL, a missing driver, a file that is no database, an older or newer schema.
        """
        opened = cls(url, patience=patience)
        try:
            ensure_head(opened.engine, shown=opened.shown)
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def shown(self) -> str:
        """The URL for messages, the password hidden."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back on any error."""
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except OperationalError as exc:
                session.rollback()
                raise KarlError(f"{self.shown}: the database refused: {exc.orig}") from exc
            except BaseException:
                session.rollback()
                raise

    def close(self) -> None:
        self.engine.dispose()


def normalise_url(url: str) -> URL:
    """SQLAlchemy's URL of a user's one; Postgres always through psycopg 3. Raises: UsageError."""
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise UsageError(
            f"{url!r} is no database URL; give e.g. sqlite:///.karl/karl.db or postgresql://host/db"
        ) from exc
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def make_engine(url: URL, *, patience: float = BUSY_SECONDS) -> Engine:
    """An engine with the pragmas that every connection needs. Raises: UsageError for a missing driver."""
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url, patience=patience)
        return create_engine(url, pool_pre_ping=True, json_deserializer=read_json)
    except NoSuchModuleError as exc:
        raise UsageError(f"{url.drivername}: unknown kind of database; karl knows sqlite and postgresql") from exc
    except ModuleNotFoundError as exc:
        raise UsageError(
            f'{url.drivername}: no driver ({exc.name}); run `pip install "karl-agents[postgres]"`'
        ) from exc


def _sqlite_engine(url: URL, *, patience: float) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        _make_parent(Path(str(url.database)))
    # One shared connection in memory: every other connection would see an empty database.
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    connect = {"check_same_thread": False, "timeout": patience}
    engine = create_engine(url, connect_args=connect, json_deserializer=read_json, **pool)
    event.listen(engine, "connect", partial(_set_pragmas, patience))
    return engine


def read_json(text: str | bytes) -> Any:
    """A column's value, several times faster than `json` reads it. Raises: ValueError."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)  # takes halves of surrogate pairs, too


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(f"{path.parent}: cannot make the store's folder: {exc.strerror}") from exc


def _set_pragmas(patience: float, connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    _use_wal(cursor, patience)
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
    cursor.execute("PRAGMA synchronous=NORMAL")  # WAL keeps the file sound; a power cut costs the last commits only
    cursor.close()


def _use_wal(cursor: Any, patience: float) -> None:
    """SQLite does not wait for another process that does the same to a new file: it says at once that it is locked."""
    end = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.01)


def ensure_head(engine: Engine, *, shown: str) -> None:
    """Create a new database, accept one at head, refuse the rest. Raises: UsageError."""
    try:
        with engine.connect() as connection:
            revision = current_revision(connection, shown=shown)
            if revision is None:
                create_schema(connection)
                revision = HEAD
    except DBAPIError as exc:
        raise UsageError(f"{shown}: cannot open the store: {exc.orig}") from exc
    if revision != HEAD:
        raise UsageError(revision_message(revision, shown=shown))


def current_revision(connection: Connection, *, shown: str) -> str | None:
    """The schema's revision; "" for one before the first; None for an empty database.

    Raises: UsageError for a database with other tables in it.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
    if tables:
        raise UsageError(f"{shown}: a database, but not karl's (no schema version); name another file or database")
    return None


def revision_message(revision: str, *, shown: str) -> str:
    if revision == "" or revision in known_revisions():
        return f"{shown}: this store was made by an older karl (schema {revision or 'none'}); run `karl db upgrade`"
    return f"{shown}: this store was made by a newer karl (schema {revision}, here {HEAD}); upgrade karl-agents"


def known_revisions() -> list[str]:
    """Revision ids in order, from the file names: no import of Alembic."""
    return sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def create_schema(connection: Connection) -> None:
    """All tables and the head's stamp in one transaction, safe against a second process doing the same."""
    if connection.dialect.name == "sqlite":
        connection.rollback()  # the driver opens no transaction before DDL by itself; this one takes the write lock
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    if "alembic_version" not in inspect(connection).get_table_names():
        SQLModel.metadata.create_all(connection)
        connection.execute(text(VERSION_TABLE))
        connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})
    connection.commit()


def upgrade(url: str) -> tuple[str, str]:
    """Migrate the store at `url` to the head; returns (revision before, revision after).

    Raises: UsageError for a newer store or a database that is not karl's; KarlError if a migration fails.
    """
    from store.migrations.runner import run_upgrade

    opened = Store(url)
    try:
        with opened.engine.connect() as connection:
            before = current_revision(connection, shown=opened.shown)
        if before and before not in known_revisions():
            raise UsageError(revision_message(before, shown=opened.shown))
        run_upgrade(opened.engine, shown=opened.shown)
    except DBAPIError as exc:
        raise KarlError(f"{opened.shown}: the upgrade failed, nothing was changed: {exc.orig}") from exc
    finally:
        opened.close()
    return before or "", HEAD
