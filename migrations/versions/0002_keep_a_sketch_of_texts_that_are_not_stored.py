"""Keep a sketch of texts that are not stored"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "prompts",
        sa.Column(
            "sketch",
            sa.LargeBinary(),
            nullable=True,
            comment="Where the text is not kept, what its difficulty is learned from: a byte that says the version, "
            "numbers, and counts of word classes without their order (planner/texts/sketch.py).",
        ),
    )


def downgrade():
    op.drop_column("prompts", "sketch")
