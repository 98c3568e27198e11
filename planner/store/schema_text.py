"""The schema in words, for people who open the store with other tools."""

from __future__ import annotations

from sqlalchemy import Column, Table
from sqlalchemy.dialects import sqlite

from planner.store.tables import metadata
from planner.store.version import HEAD

_HEAD = f"""# The store's schema (version {HEAD})

Open a SQLite store with `sqlite3 planner.db`; the file may be read while the planner runs. Times are UTC, null is
unknown and never 0, JSON is kept as text. Columns named `_key` join tables inside one store; ids for use outside
are texts.

```sql
-- accuracy and tokens of every generator on every data set, by sample
SELECT prompts.dataset, models.name, count(*) AS n_samples, avg(samples.correct) AS accuracy,
       avg(samples.completion_tokens) AS completion_tokens
FROM samples
JOIN runs ON runs.run_key = samples.run_key
JOIN prompts ON prompts.prompt_key = runs.prompt_key
JOIN arms ON arms.arm_key = runs.arm_key
JOIN models ON models.model_key = arms.generator_key
GROUP BY 1, 2;
```
"""  # noqa: S608 - an example to read


def schema_markdown() -> str:
    """Every table and column with what it holds, as Markdown."""
    return "\n".join([_HEAD, *(_table(table) for table in metadata.sorted_tables)])


def _table(table: Table) -> str:
    rows = [f"| `{column.name}` | {_type(column)} | {column.comment} |" for column in table.columns]
    head = f"## {table.name}\n\n{table.comment}\n\n| column | type | what it holds |\n| --- | --- | --- |"
    return "\n".join([head, *rows, ""])


def _type(column: Column[object]) -> str:
    name = column.type.compile(sqlite.dialect()).lower()
    words = {"bigint": "integer", "double": "number", "datetime": "time"}.get(name, name)
    key = next(iter(column.foreign_keys), None)
    return f"{words}, of {key.column.table.name}" if key else words + (", may be null" if column.nullable else "")
