"""Alembic's entry point. The engine's connection comes from `store.migrations.runner`; `--sql` prints for a dialect."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import store.models  # noqa: F401  (registers the tables)

connection = context.config.attributes.get("connection")
if connection is not None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
else:
    url = context.config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=SQLModel.metadata, literal_binds=True)
with context.begin_transaction():
    context.run_migrations()
