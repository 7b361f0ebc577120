"""Run Alembic inside the package: no ini file, one transaction over all revisions. Imported by `upgrade` only."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError

from store.errors import KarlError
from store.session import HEAD, MIGRATIONS


def alembic_config(connection: Connection | None = None, *, url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    if url:
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def run_upgrade(engine: Engine, *, shown: str) -> None:
    """Raises: KarlError; the database is then as it was."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), HEAD)
    except SQLAlchemyError as exc:
        raise KarlError(f"{shown}: the upgrade failed, nothing was changed: {exc}") from exc


def _begin_immediate(connection: Connection) -> None:
    # SQLite's driver opens no transaction before DDL: without this a failed migration would leave half a schema.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
