"""Checkpoints trained by GRPO."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """SQLite keeps an enum as text; PostgreSQL has a type that must learn the value."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TYPE algorithm ADD VALUE IF NOT EXISTS 'GRPO'")


def downgrade() -> None:
    """The value GRPO stays in PostgreSQL's type: types can't lose one."""
