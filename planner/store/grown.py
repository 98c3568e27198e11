"""Tables of samples that are imported again after they have grown: what came before would count twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from planner.store.bulk import select_in
from planner.store.tables import arms, imports, runs

_HASHED = 64
"""Characters of the id of a run whose rows name none: a hash of them all, so that one row more makes it another."""
_MOST_LOOKED_AT = 500
_SHARE = 0.9
"""Of the runs that could have grown: short answers alone may be equal by chance."""

_OF_AN_ARM = (arms.c.generator_key, arms.c.verifier_key, arms.c.params)


def grown_runs(connection: Connection, first: int) -> Iterator[str]:
    """In words, which runs from the key `first` on hold all samples of runs before it, and what to do.

    Looks at the first 500 runs without an id of their own: a table that has grown has most of its runs grown.
    """
    mine = _runs(connection, first)
    found = _earlier(connection, first, mine)
    if not found:
        return
    samples = _samples(connection, [*mine, *(earlier for ones in found.values() for earlier, _ in ones)])
    owners: set[int] = set()
    grown = []
    for run, ones in found.items():
        held = {owner for earlier, owner in ones if samples[earlier] <= samples[run]}
        owners |= held
        grown += [run] * bool(held)
    if len(grown) >= _SHARE * len(found):
        run_id = select(runs.c.run_id).where(runs.c.run_key == grown[0])
        names = select(imports.c.import_id).where(imports.c.import_key.in_(owners)).order_by(imports.c.import_key)
        yield (
            f"runs without run_id, such as {connection.execute(run_id).scalar_one()!r}, hold all samples of runs that "
            "were imported before, which now count twice: where a table has grown undo its earlier import "
            f"({', '.join(connection.execute(names).scalars())}; `planner logs undo ID`), or give its rows a run_id"
        )


def _runs(connection: Connection, first: int) -> dict[int, tuple[Any, ...]]:
    """Some runs without an id of their own: what those have in common that are of one pool."""
    query = (
        select(runs.c.run_key, runs.c.prompt_key, *_OF_AN_ARM)
        .join(arms, arms.c.arm_key == runs.c.arm_key)
        .where(runs.c.run_key >= first, func.length(runs.c.run_id) == _HASHED)
        .order_by(runs.c.run_key)
        .limit(_MOST_LOOKED_AT)
    )
    return {key: tuple(of) for key, *of in connection.execute(query)}


def _earlier(connection: Connection, first: int, mine: dict[int, tuple[Any, ...]]) -> dict[int, list[tuple[int, int]]]:
    """For runs that may have grown: those before them that are of the same pool, and their imports."""
    columns = "run_key, import_key, length(run_id), prompt_key, " + ", ".join(one.name for one in _OF_AN_ARM)
    joined = "runs JOIN arms ON arms.arm_key = runs.arm_key"
    rows = select_in(connection, columns, joined, "prompt_key", list({prompt for prompt, *_ in mine.values()}))
    pools = defaultdict(list)
    for run, owner, n_characters, *of in rows:
        if run < first and n_characters == _HASHED:
            pools[tuple(of)].append((run, owner))
    return {run: pools[of] for run, of in mine.items() if of in pools}


def _samples(connection: Connection, run_keys: Sequence[int]) -> defaultdict[int, Counter[tuple[Any, ...]]]:
    """What tells the samples of each run apart; their order does not: rows that name no chain are numbered anew."""
    found: defaultdict[int, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    columns = "run_key, answer, completion_tokens, correct"
    for run, *sample in select_in(connection, columns, "samples", "run_key", run_keys):
        found[run][tuple(sample)] += 1
    return found
