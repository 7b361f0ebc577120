"""Calls and alternatives of a step, untrainable rollouts, checksums of segments, graph hashes on more rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Rows of the first schema: one search a step, sampled by an engine with token ids, no graph recorded.
ADDED = {
    "step": (
        sa.Column("calls", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("alternatives", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("value", sa.Float(), nullable=True),
    ),
    "rollout": (sa.Column("trainable", sa.Boolean(), nullable=False, server_default=sa.true()),),
    "segment": (sa.Column("engine_crc", sa.BigInteger(), nullable=True),),
    "judgement": (
        sa.Column("graph", sa.String(), nullable=False, server_default=sa.text("''")),
        sa.Column("graph_sha256", sa.String(), nullable=False, server_default=sa.text("''")),
    ),
    "iteration": (sa.Column("graph_sha256", sa.String(), nullable=False, server_default=sa.text("''")),),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column)
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TYPE stepkind ADD VALUE IF NOT EXISTS 'TOOL'")


def downgrade() -> None:
    """The value TOOL stays in PostgreSQL's type: types can't lose one."""
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
