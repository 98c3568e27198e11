"""Say which import filled a grade

So that an import that graded what others had brought can be undone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COMMENT = "Import that filled the grade, where a later one did (imports.import_key)."


def upgrade():
    for table in ("runs", "samples"):
        op.add_column(table, sa.Column("grade_import_key", sa.BigInteger(), nullable=True, comment=COMMENT))


def downgrade():
    for table in ("runs", "samples"):
        op.drop_column(table, "grade_import_key")
