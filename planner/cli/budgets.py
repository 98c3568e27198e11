"""What commands that plan share: budgets, aims and restrictions as options, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from planner.core import Arm, Budget

CHUNK = 2000
"""Prompts that are planned for together: enough to be quick, few enough to show progress."""
_Command = Any
T = TypeVar("T")


def _limits(prefix: str, what: str, *units: str) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for unit in reversed(units):
            name = f"{prefix}_{unit}" + ("_seconds" if unit == "latency" else "")
            words = {"latency": "seconds", "flops": "FLOPs", "usd": "USD"}.get(unit, unit)
            option = click.option(f"--{prefix}-{unit}", name, type=float, metavar="X", help=what.format(words))
            command = option(command)
        return command

    return decorate


def planning_options(command: _Command) -> _Command:
    """Add every option by which a plan is asked for."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    _limits("max", "Ceiling of one prompt, in {}.", "generations", "tokens", "flops", "usd", "latency"),
    _limits("mean", "Average over traffic, in {}.", "generations", "tokens", "flops", "usd"),
    _limits("total", "With --input: all prompts together, in {}.", "generations", "tokens", "flops", "usd"),
    click.option(
        "--target-accuracy", type=float, metavar="A", help="The cheapest arm that reaches it; a budget is optional."
    ),
    click.option(
        "--probes",
        "probes_file",
        metavar="FILE",
        help="Samples already drawn, JSON lines or a JSON array of {answer, score, correct, prompt_id?}; null is "
        'unknown, the answer "" is none.',
    ),
    click.option("--arm", "arm_json", metavar="JSON", help="Force this arm, and forecast it."),
    click.option(
        "--generator", "generators", multiple=True, metavar="NAME", help="Only arms of this generator; repeatable."
    ),
    click.option("--search", "searches", multiple=True, metavar="NAME", help="Only arms of this search; repeatable."),
    click.option(
        "--selection", "selections", multiple=True, metavar="NAME", help="Only arms of this selection; repeatable."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draw between two mixed arms."),
)


@dataclass(frozen=True)
class Planned:
    """What the options ask for: limits of each prompt, a total over all, an aim, and which arms are meant."""

    budget: Budget | None
    total: Budget | None
    restrictions: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any], *, many: bool) -> Planned:
        """Raises InvalidInput for limits and arms that cannot be used; `many`: whether there may be many prompts."""
        total = _total(options)
        if total is not None and not many:
            raise InvalidInput("a total is for many prompts: give --input FILE, or a ceiling with --max-...")
        restrictions = {
            "target_accuracy": options["target_accuracy"],
            "arm": _arm(options["arm_json"]),
            "generators": options["generators"],
            "searches": options["searches"],
            "selections": options["selections"],
            "seed": options["seed"],
        }
        if total is not None and (restrictions["target_accuracy"] is not None or restrictions["arm"] is not None):
            raise InvalidInput("a total is allocated where it pays: leave out --target-accuracy and --arm")
        return cls(_budget(options), total, restrictions)

    @property
    def for_batch(self) -> dict[str, Any]:
        """Options of `Planner.recommend_batch`."""
        return {**self.restrictions, "total": self.total}

    @property
    def names_arms(self) -> bool:
        """Whether only some arms are meant."""
        return any(self.restrictions[name] for name in ("arm", "generators", "searches", "selections"))

    def chunks(self, lines: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
        """Lines that are planned for together, with the place of the first; all of them, where there is a total."""
        size = max(len(lines), 1) if self.total is not None else CHUNK
        for first in range(0, len(lines), size):
            yield first, lines[first : first + size]


def _budget(options: Mapping[str, Any]) -> Budget | None:
    from planner.cli.common import parsed
    from planner.core import Budget

    limits = {k: v for k, v in options.items() if k.startswith(("max_", "mean_")) and v is not None}
    return parsed(Budget, limits, "the budget") if limits else None


def _total(options: Mapping[str, Any]) -> Budget | None:
    from planner.cli.common import parsed
    from planner.core import Budget

    limits = {
        f"max_{k.removeprefix('total_')}": v for k, v in options.items() if k.startswith("total_") and v is not None
    }
    return parsed(Budget, limits, "the total") if limits else None


def _arm(text: str | None) -> Arm | None:
    if text is None:
        return None
    import json

    from planner.cli.common import parsed
    from planner.core import Arm

    try:
        raw = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f'--arm is not JSON ({error}): write --arm \'{{"generator": "..."}}\'') from error
    return parsed(Arm, raw, "--arm")
