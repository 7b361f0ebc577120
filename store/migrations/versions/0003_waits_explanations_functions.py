"""How long attempts waited and when they began, why an answer was given, functions on judgements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Rows of before: no wait was measured, the explanation is in the last turn only, no function recorded.
ADDED = {
    "rollout": (
        sa.Column("explanation", sa.String(), nullable=True),
        sa.Column("queued", sa.Float(), nullable=False, server_default=sa.text("0")),
        sa.Column("began", sa.Float(), nullable=False, server_default=sa.text("0")),
    ),
    "judgement": (sa.Column("function_sha256", sa.JSON(), nullable=False, server_default="{}"),),
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.add_column(table, column)


def downgrade() -> None:
    for table, columns in ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
