"""`planner curves` and `planner evaluate`."""

from __future__ import annotations

import builtins
import json

import pytest
from click.testing import CliRunner

from planner import Planner
from planner.cli import main
from planner.cli.report import report_text
from planner.cli.text import amount, columns, figure
from planner.policy.report import Coverage, EvaluationReport, Line, Multiple


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_curves_show_every_arm_of_a_generator(home):
    result = run("curves", "--generator", "lab-small", "--json")
    arms = json.loads(result.stdout)
    assert {arm["arm"]["generator"] for arm in arms} == {"lab-small"}
    assert {"majority_vote", "best_of_n"} <= {arm["arm"]["selection"] for arm in arms}


def test_curves_by_bin_fall_with_difficulty(home):
    arms = json.loads(run("curves", "--bin", "--json").stdout)
    single = next(arm for arm in arms if arm["label"] == "lab-small, one sample")
    assert single["accuracy_by_bin"][0] > single["accuracy_by_bin"][-1]


def test_an_unknown_generator_of_curves_is_bad_input(home):
    assert run("curves", "--generator", "nobody").exit_code == 2


def test_where_nothing_is_graded_the_way_to_grade_what_is_logged_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    samples = [{"chain": i, "answer": str(i)} for i in range(4)]
    of_prompt = {"prompt": "Which?", "reference": "1", "generator": "small", "breadth": 4, "samples": samples}
    (tmp_path / "runs.jsonl").write_text(json.dumps(of_prompt))
    assert run("logs", "import", "runs.jsonl").exit_code == 0
    for command in ("curves", "fit"):
        refused = run(command)
        assert refused.exit_code == 3
        assert "the same files again with --grade NAME" in refused.stderr
    assert "4 grades were filled" in run("logs", "import", "runs.jsonl", "--grade", "exact").stdout
    assert "small majority_vote 4" in run("curves").stdout


def test_curves_of_two_verifiers_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scored = [{"chain": i, "answer": str(i), "correct": i, "score": 0.4 + 0.2 * i} for i in range(2)]
    run_of = {"prompt_id": "p", "prompt": "Which?", "generator": "small", "breadth": 2, "samples": scored}
    runs = [json.dumps({**run_of, "run_id": verifier, "verifier": verifier}) for verifier in ("orm", "prm")]
    (tmp_path / "runs.jsonl").write_text("\n".join(runs))
    assert run("logs", "import", "runs.jsonl").exit_code == 0
    text = run("curves").stdout
    assert "small best_of_n 2, scored by orm" in text
    assert "small best_of_n 2, scored by prm" in text
    assert "small majority_vote 2 " in text


def test_curves_are_drawn(home):
    result = run("curves", "--plot", "picture.png")
    assert result.exit_code == 0, result.stderr
    assert (home / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_many_curves_of_a_picture_all_look_different_and_fit_beside_it():
    from planner.cli.plot import Curve, draw

    figure = draw([Curve(f"arm {n}", [1, 2], [0.1, 0.2]) for n in range(40)], unit="tokens", title="many")
    figure.canvas.draw()
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == 40
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.y0 < legend.y1 <= figure.bbox.y1


EVALUATE = ("evaluate", "--folds", "2", "--no-cascades", "--probes", "1")


def test_an_evaluation_shows_the_policy_beside_a_baseline_and_draws_it(home):
    result = run(*EVALUATE, "--baseline", "best_of_n", "--plot", "picture.png")
    assert result.exit_code == 0, result.stderr
    assert "best_of_n" in result.stdout
    assert "majority_vote  " not in result.stdout.split("the policy against")[0]
    assert (home / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", [("curves",), EVALUATE])
def test_without_matplotlib_the_extra_is_named(home, monkeypatch, command):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(Planner, "evaluate", None)  # what takes long is not begun
    result = run(*command, "--plot", "picture.png")
    assert result.exit_code == 2
    assert "planner[plot]" in result.stderr


@pytest.mark.parametrize(("command", "work"), [(("curves",), "curves"), (EVALUATE, "evaluate")])
def test_a_picture_of_no_known_type_is_refused_before_the_work(home, monkeypatch, command, work):
    monkeypatch.setattr(Planner, work, lambda *_, **__: pytest.fail("the work was begun"))
    result = run(*command, "--plot", "picture.xyz")
    assert result.exit_code == 2
    assert "'xyz'" in result.stderr
    assert "svg" in result.stderr


def test_a_picture_that_cannot_be_written_takes_no_figure_with_it(home):
    result = run(*EVALUATE, "--plot", "no-such-folder/picture.png")
    assert result.exit_code == 2
    assert "no-such-folder" in result.stderr
    assert "best_of_n" in result.stdout


def test_an_unknown_baseline_names_those_there_are_before_the_work(home, monkeypatch):
    monkeypatch.setattr("planner.Planner.evaluate", lambda *_, **__: pytest.fail("the work was begun"))
    result = run(*EVALUATE, "--baseline", "nonsense")
    assert result.exit_code == 2
    assert "best_of_n" in result.stderr


@pytest.mark.parametrize("means", [(), ("--mean", "0.01")])
def test_without_prices_an_evaluation_in_usd_names_what_the_model_card_lacks(home, means):
    result = run(*EVALUATE, "--unit", "usd", *means)
    assert result.exit_code == 2
    assert "lacks usd_per_million_prompt_tokens" in result.stderr
    assert "planner models import FILE" in result.stderr


def test_an_average_that_no_policy_keeps_is_told_and_the_others_are_reported(home):
    result = run(*EVALUATE, "--unit", "tokens", "--mean", "0.5", "--mean", "400")
    assert result.exit_code == 0
    assert "warning: left out: no choice of arms keeps mean_tokens=0.5; the least" in result.stderr
    assert "accuracy at a budget of\n" in result.stdout
    assert "0.5" not in result.stdout.split("accuracy at a budget of\n")[1].splitlines()[0].split()


@pytest.mark.parametrize(
    ("coverage", "said"),
    [
        ((834, 3), "87% of 834 (3 groups of prompts x 278 arms; so few groups of prompts tell little)"),
        ((278, 1), "87% of 278 (1 group of prompts x 278 arms; so few groups of prompts tell little)"),
        ((2781, 10), "87% of 2,781 (10 groups of prompts x about 278 arms)"),
    ],
)
def test_coverage_says_on_how_few_groups_of_prompts_it_was_checked(coverage, said):
    checked = Coverage(n_groups=coverage[0], n_prompt_groups=coverage[1], share=0.87)
    report = EvaluationReport(unit="tokens", n_prompts=9, n_folds=2, seed=0, reference="a", lines=(), coverage=checked)
    assert report_text(report).splitlines()[-1] == f"90% intervals that hold their group's mean: {said}"


def test_columns_align_figures_to_the_right():
    assert columns(["name", "n"], [["a", "5"], ["bb", "10"]]) == "name   n\na      5\nbb    10"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (float("nan"), "-"), (0.1234, "0.123"), (1234.0, "1,234"), (1.5e9, "1.50e+09")]
)
def test_figures_have_few_digits(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.00142, "0.00142"),
        (9.42e-05, "9.42e-05"),
        (2.0, "2"),
        (1715.2, "1,715"),
        (1.5e9, "1.5e+09"),
    ],
)
def test_a_cost_keeps_three_digits_however_small_it_is(value, text):
    assert amount(value) == text


def test_a_report_shows_that_more_was_spent_than_a_budget_of_a_fraction_of_a_cent():
    line = Line(
        contender="policy", budget="mean_usd=0.001015", budget_value=0.001015, n_prompts=60, accuracy=0.9, stderr=0.01,
        cost=0.00142,
    )  # fmt: skip
    multiple = Multiple(baseline="best_of_n, 32", accuracy=0.9, cost=0.00285, policy_cost=0.00168, times=1.7)
    report = EvaluationReport(
        unit="usd", n_prompts=60, n_folds=5, seed=0, reference="a", lines=(line,), multiples=(multiple,)
    )
    text = report_text(report)
    assert all(cost in text for cost in ("0.00142", "0.00285", "0.00168"))
