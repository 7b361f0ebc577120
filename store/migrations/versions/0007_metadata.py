"""What documents say of themselves, headings above a chunk, and by what duplicates are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("document", sa.Column("properties", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("document", sa.Column("text_sha256", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("chunk", sa.Column("headings", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("chunk", "headings")
    op.drop_column("document", "text_sha256")
    op.drop_column("document", "properties")
