"""The picture of README.md: `python -m tests.bench.picture`."""

from __future__ import annotations

from planner.cli.report import write_plot
from planner.policy.evaluate import evaluate
from tests.bench.logs import lab_logs
from tests.bench.readme import README

SHOWN = ("single sample", "majority_vote", "weighted_vote", "best_of_n", "mixture hull, fixed arms")


def main() -> None:
    """Five folds of the bundled logs, accuracy against realised cost."""
    path = README.parent / "notebooks" / "images" / "evaluate.png"
    path.parent.mkdir(exist_ok=True)
    write_plot(evaluate(lab_logs(), probes=()).report, path, SHOWN)
    print(path.name)


if __name__ == "__main__":
    main()
