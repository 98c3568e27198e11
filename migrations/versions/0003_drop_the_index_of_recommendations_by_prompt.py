"""Drop the index of recommendations by prompt

Nothing looks them up by it, and since hashes of prompts have no order it took more than a third of the time that it
takes to store a recommendation.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.drop_index("ix_recommendations_prompt_id", "recommendations")


def downgrade():
    op.create_index("ix_recommendations_prompt_id", "recommendations", ["prompt_id"])
