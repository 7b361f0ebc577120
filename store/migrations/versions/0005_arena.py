"""The arena: systems, battles, their answers, votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("arenasystem", "arenabattle", "arenaanswer", "arenavote")
# table -> column -> whether its index is unique
INDICES = {
    "arenasystem": {"key": True},
    "arenabattle": {"key": True, "corpus_id": False},
    "arenaanswer": {"battle_id": False, "system_id": False, "rollout_id": False},
    "arenavote": {"battle_id": True},
}


def upgrade() -> None:
    op.create_table(
        "arenasystem",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("checkpoint", sa.String(), nullable=False),
        sa.Column("weights_sha256", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("graph", sa.String(), nullable=False),
        sa.Column("graph_sha256", sa.String(), nullable=False),
        sa.Column("prompt_sha256", sa.JSON(), nullable=False),
        sa.Column("inner_sha256", sa.JSON(), nullable=False),
        sa.Column("value_sha256", sa.String(), nullable=False),
        sa.Column("temperature", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "arenabattle",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("corpus_id", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["corpus_id"], ["corpus.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "arenaanswer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("battle_id", sa.Integer(), nullable=False),
        sa.Column("letter", sa.String(), nullable=False),
        sa.Column("system_id", sa.Integer(), nullable=False),
        sa.Column("rollout_id", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["battle_id"], ["arenabattle.id"]),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"]),
        sa.ForeignKeyConstraint(["system_id"], ["arenasystem.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("battle_id", "letter"),
    )
    op.create_table(
        "arenavote",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("battle_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Enum("WINNER", "TIE", "NONE", name="votekind"), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["answer_id"], ["arenaanswer.id"]),
        sa.ForeignKeyConstraint(["battle_id"], ["arenabattle.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for table, columns in INDICES.items():
        for column, unique in columns.items():
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=unique)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TYPE votekind")
