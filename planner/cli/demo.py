"""`planner demo`: the whole way, from logs to plans carried out, on the bundled logs and models of the lab."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from planner.cli.common import open_planner, progress

if TYPE_CHECKING:
    from planner.api import Planner
    from planner.core import Budget

LOGS = ("models.json", "lab.samples.parquet", "lab.runs.jsonl.gz")
PROMPTS = (
    ("one step", "Anna has 23 shells. Add 8. How many now?"),
    (
        "nine steps",
        (
            "Start with 57. Pack in bags of 9 and keep only what is left over. Triple it. Dan likes red shells. "
            "Add 46. Then 17 are lost. If it is even add 15 otherwise add 6. Make it 5 times as many. Halve it "
            "rounding down. It was day 3 of the trip. Decrease it by 4. Pack in bags of 7 and keep only what is left "
            "over. How many now?"
        ),
    ),
)

# In the demo's own store a policy fitted on both would have to win on the demo's prompts first.
NEXT = """\
go on with prompts of your own:
  planner recommend PROMPT --max-generations 8 --explain
  planner run PROMPT --mean-flops 4e8 --endpoint lab
with logs of your own, in a store of their own:
  export PLANNER_DATABASE_URL=sqlite:///mine.db
  planner logs import FILE && planner fit
  planner recommend PROMPT --max-generations 8 --explain"""


@click.command()
def demo() -> None:
    """Import the logs of a tiny laboratory, fit a policy, report on held-out prompts, recommend, carry out; offline.

    Uses the configured store and artifact folder and leaves a promoted policy there; it may be run twice.
    """
    planner = open_planner(create=True)
    _import(planner)
    from planner.cli.fit import fit_text

    with progress("fitting") as report:
        result = planner.fit(progress=report)
    click.echo(fit_text(result) + "\n")
    click.echo(_recommendations(planner) + "\n")
    from planner.cli.demo_live import carried_out

    click.echo(carried_out(planner))
    click.echo(f"\n{NEXT}")


def _import(planner: Planner) -> None:
    from importlib.resources import as_file, files

    from planner.store.card_files import read_model_cards

    folder = files("planner.lab") / "logs"
    with ExitStack() as stack, progress("importing the logs of the lab") as report:
        cards, *logs = (stack.enter_context(as_file(folder / name)) for name in LOGS)
        planner.store.save_models(read_model_cards(cards))
        click.echo(planner.import_logs(logs, progress=report).summary, err=True)


def _budgets() -> dict[str, Budget]:
    from planner.core import Budget

    return {
        "at most 1 generation": Budget(max_generations=1),
        "at most 4 generations": Budget(max_generations=4),
        "at most 5e9 FLOPs": Budget(max_flops=5e9),
        "2.5e8 FLOPs on average": Budget(mean_flops=2.5e8),
        "1e9 FLOPs on average": Budget(mean_flops=1e9),
    }


def _recommendations(planner: Planner) -> str:
    from planner.cli.text import columns, cost_text

    rows = []
    for name, prompt in PROMPTS:
        for budget_name, budget in _budgets().items():
            plan = planner.recommend(prompt, budget)
            forecast = plan.forecast
            rows.append(
                [
                    name,
                    budget_name,
                    plan.arm.label,
                    f"{forecast.accuracy:.3f}",
                    cost_text(forecast.cost.model_copy(update={"latency_seconds": None, "usd": None})),
                ]
            )
    return "recommendations\n" + columns(["prompt", "budget", "arm", "accuracy", "expected cost"], rows)
