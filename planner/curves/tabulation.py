"""From logs to the outcome table."""

from __future__ import annotations

from itertools import chain

from planner.curves.cascade import cascade_table
from planner.curves.columns import Column, table_of
from planner.curves.concatenation import concatenate_arms
from planner.curves.grades import known_grades
from planner.curves.logs import Logs
from planner.curves.pool_arms import pool_columns
from planner.curves.pool_table import pool_table
from planner.curves.run_arms import run_columns
from planner.curves.side_by_side import side_by_side
from planner.curves.table import OutcomeTable


def tabulate(logs: Logs, *, seed: int = 0, cascades: bool = True) -> OutcomeTable:
    """Expected outcome and use of every arm that the logs tell of, on every logged prompt.

    Pools give every selection at every breadth and depth within the log, averaged over subsets of their
    samples; runs give one outcome each, and a tree search's candidates its other selections; cascades are
    replayed from the pools. Samples without a known grade are left out of outcomes, not of costs. `seed`
    draws the subsets where they are too many to list.
    """
    pools = pool_table(logs)
    grades = known_grades(logs.samples)
    of_pool: list[list[Column]] = [[] for _ in logs.pools]

    def replay(pool: int) -> None:
        of_pool[pool] = list(pool_columns(logs, pool, grades, seed=seed))

    side_by_side(replay, ((pool,) for pool in range(len(logs.pools))))
    table = concatenate_arms([table_of([*chain.from_iterable(of_pool), *run_columns(logs)], logs, pools)])
    if not cascades:
        return table
    return concatenate_arms([table, cascade_table(logs, seed=seed)])
