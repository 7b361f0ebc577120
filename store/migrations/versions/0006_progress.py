"""How far a stage is; what a rollout read and how it behaved; indices by which rollouts and curves are listed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Of the steps of before; a vote among attempts and a summary have theirs too.
READ = (
    "UPDATE rollout SET prompt_tokens = "
    "(SELECT COALESCE(SUM(step.prompt_tokens), 0) FROM step WHERE step.rollout_id = rollout.id)"
)
INDICES = {
    "ix_rollout_filter": (
        "rollout",
        ["run_id", "purpose", "iteration", "arm", "status", "failure_kind", "reward", "behaviour", "task_id"],
    ),
    "ix_rollout_spending": ("rollout", ["run_id", "role", "model", "prompt_tokens", "sampled_tokens", "search_count"]),
    "ix_metric_curve": ("metric", ["run_id", "series", "name", "step"]),
    "ix_task_funnel": ("task", ["run_id", "iteration", "fate"]),
}


def upgrade() -> None:
    op.create_table(
        "stageprogress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("under_way", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "title"),
    )
    op.create_index(op.f("ix_stageprogress_run_id"), "stageprogress", ["run_id"], unique=False)
    op.add_column("rollout", sa.Column("prompt_tokens", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("rollout", sa.Column("behaviour", sa.String(), nullable=False, server_default=sa.text("''")))
    op.execute(READ)
    for name, (table, columns) in INDICES.items():
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, (table, _) in INDICES.items():
        op.drop_index(name, table_name=table)
    op.drop_column("rollout", "behaviour")
    op.drop_column("rollout", "prompt_tokens")
    op.drop_table("stageprogress")
