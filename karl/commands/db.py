"""`karl db upgrade`: bring an older store to this release's schema."""

from __future__ import annotations

import click

from karl.commands.common import settings_of


@click.group()
def db() -> None:
    """Look after the store."""


@db.command()
@click.pass_context
def upgrade(context: click.Context) -> None:
    """Migrate the store to the newest schema; nothing stored is lost."""
    from store.session import upgrade as migrate

    settings = settings_of(context)
    before, after = migrate(settings.store_url)
    click.echo(f"{settings.store_url}: {before} -> {after}" if before != after else f"{settings.store_url}: up to date")
