"""The facade: what Python callers rely on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

import planner.api.home
from planner import Arm, Budget, Planner, Probe
from planner.core import Run
from planner.errors import InfeasibleBudget, InvalidInput, NoActivePolicy, SchemaOutdated, StoreError
from planner.policy.chat import prompt_input

PROMPT = "Start with 11. Multiply by 5. How many now?"


@pytest.fixture
def opened(home):
    with Planner.open() as planner:
        yield planner


def test_a_recommendation_keeps_its_ceiling(opened):
    budget = Budget(max_generations=4)
    plan = opened.recommend(PROMPT, budget)
    assert plan.forecast.cost_worst.fits(budget)
    assert plan.policy_id == opened.policy.policy_id


def test_a_budget_that_nothing_fits_raises_the_least_that_would(opened):
    with pytest.raises(InfeasibleBudget, match="least budget"):
        opened.recommend(PROMPT, Budget(max_tokens=1))


def test_a_batch_gives_errors_as_values(opened):
    answers = opened.recommend_batch([PROMPT, {"prompt": PROMPT, "prompt_id": "x"}], Budget(max_tokens=1))
    assert all(isinstance(answer, InfeasibleBudget) for answer in answers)


def test_prompts_that_were_read_already_are_taken_as_they_are(opened):
    mapping = {"prompt": PROMPT, "prompt_id": "x", "dataset": "lab"}
    from_mapping, read = opened.recommend_batch([mapping, prompt_input(mapping)], Budget(max_generations=4))
    assert read.forecast == from_mapping.forecast
    assert read.prompt_id == "x"


def test_a_total_is_kept(opened):
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(30)]
    plans = opened.recommend_batch(prompts, total=Budget(max_generations=90))
    assert sum(plan.forecast.cost.generations for plan in plans) <= 90 * 1.0001


def test_no_prompts_have_no_recommendations(opened):
    assert opened.recommend_batch([], Budget(max_generations=9)) == []
    assert opened.recommend_batch([], total=Budget(max_generations=9)) == []


def test_a_total_goes_with_neither_target_nor_arm(opened):
    with pytest.raises(InvalidInput, match="total"):
        opened.recommend_batch([PROMPT], total=Budget(max_generations=9), target_accuracy=0.9)


def test_chat_messages_and_text_are_one_prompt(opened):
    chat = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    budget = Budget(max_generations=2)
    assert opened.recommend(chat, budget).prompt_id == opened.recommend(PROMPT, budget).prompt_id


@pytest.mark.parametrize(
    "prompt", ["", "  \n", [], [{"role": "user"}], [{"role": "user", "content": 3}], b"bytes", 3, None]
)
def test_what_is_no_prompt_is_bad_input(opened, prompt):
    with pytest.raises(InvalidInput):
        opened.recommend(prompt, Budget(max_generations=2))


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"role": "user", "content": [{"type": "text", "text": PROMPT}, IMAGE]}, r"messages\[1\]\.content"),
        ({"role": "assistant", "content": PROMPT, "tool_calls": [{"id": "1"}]}, r"messages\[1\]\.tool_calls"),
        ({"role": "tool", "content": PROMPT, "tool_call_id": "1"}, r"messages\[1\]\.role"),
        ({"role": "user", "content": PROMPT, "name": "Ann"}, r"messages\[1\]\.name"),
        ("text", r"messages\[1\]:"),
    ],
)
def test_a_chat_that_is_more_than_text_is_refused_with_what_to_do(opened, message, found):
    """Its identity would be its text alone, and what is sent would lose the rest."""
    chat = [{"role": "system", "content": "Be brief."}, message]
    for ask in (opened.recommend, opened.session, opened.run):
        with pytest.raises(
            InvalidInput, match=f"{found}.*leave the rest out, or send the chat to a model's own server"
        ):
            ask(chat, Budget(max_generations=2))
    with pytest.raises(InvalidInput, match=found):
        opened.recommend_batch([{"prompt": chat}], Budget(max_generations=2))


def test_members_of_a_message_that_say_nothing_are_no_matter(opened):
    chat = [{"role": "user", "content": PROMPT, "name": None, "tool_calls": [], "refusal": ""}]
    budget = Budget(max_generations=2)
    assert opened.recommend(chat, budget).prompt_id == opened.recommend(PROMPT, budget).prompt_id


def test_probes_and_a_forced_arm_are_taken(opened):
    plan = opened.recommend(PROMPT, probes=[Probe(answer="55", score=0.99)], arm=Arm(generator="lab-small"))
    assert plan.difficulty.source == "probes"
    assert plan.arm == Arm(generator="lab-small", verifier=plan.arm.verifier)


def test_recommendations_are_stored_within_a_second(opened):
    plan = opened.recommend(PROMPT, Budget(max_generations=2))
    until = time.monotonic() + 1
    while opened.store.recommendation(plan.recommendation_id) is None:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_is_recorded_is_flushed_at_close(home):
    with Planner.open() as planner:
        plan = planner.recommend(PROMPT, Budget(max_generations=2))
    with Planner.open() as planner:
        assert planner.store.recommendation(plan.recommendation_id) == plan


def test_a_closed_planner_says_so_and_may_be_closed_twice(home):
    with Planner.open() as closed:
        plan = closed.recommend(PROMPT, Budget(max_generations=2))
    for ask in (
        lambda: closed.recommend(PROMPT, Budget(max_generations=2)),
        lambda: closed.run(plan, endpoint="http://localhost:1/v1"),
        lambda: closed.grade("x", correct=1),
        closed.policies,
        closed.flush,
    ):
        with pytest.raises(StoreError, match=r"closed.*Planner\.open"):
            ask()
    closed.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_planner_from_before_a_fork_says_so_and_nobody_waits_for_it(home):
    """Its writer's thread is the first process's alone: what is recorded here would never be written."""
    with Planner.open() as shared:
        shared.recommend(PROMPT, Budget(max_generations=2))
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                try:
                    shared.recommend(PROMPT, Budget(max_generations=2))
                except StoreError as error:
                    shared.close()
                    with Planner.open() as own:
                        own.recommend(PROMPT, Budget(max_generations=2))
                    code = 0 if "fork" in str(error) else 2
            os._exit(code)
        until = time.monotonic() + 30
        while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < until:
            time.sleep(0.02)
        if not ended[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert ended == (child, 0)
        shared.flush()
        assert shared.store.count().n_recommendations == 2


def test_threads_may_share_a_planner(opened):
    prompts = [f"Start with {i}. Add 3. How many now?" for i in range(80)]
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(lambda prompt: opened.recommend(prompt, Budget(mean_flops=3e8)), prompts))
    opened._serving.flush()
    assert len({plan.recommendation_id for plan in plans}) == 80
    assert opened.store.count().n_recommendations >= 80


def test_the_policy_is_loaded_once_by_all_threads(home, monkeypatch):
    loads = []
    real = planner.api.home.load_policy
    monkeypatch.setattr(planner.api.home, "load_policy", lambda *a: loads.append(1) or real(*a))
    with Planner.open() as opened:
        threads = [threading.Thread(target=lambda: opened.policy) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(loads) == 1


def test_a_policy_that_another_process_promotes_is_noticed(opened, monkeypatch):
    before = opened.policy.policy_id
    with Planner.open() as other:
        made = other.fit(seed=3)
        other.promote(made.policy_id)
    monkeypatch.setattr(planner.api.home, "LOOK_AGAIN_SECONDS", 0.0)
    assert opened.policy.policy_id == made.policy_id != before


def test_without_a_policy_the_next_step_is_named(tmp_path):
    with (
        Planner.open(f"sqlite:///{tmp_path / 'new.db'}") as planner,
        pytest.raises(NoActivePolicy, match="logs import"),
    ):
        planner.recommend(PROMPT, Budget(max_generations=2))


def test_without_a_policy_who_asks_waits_for_no_count_and_a_watched_store_is_asked_once_a_second(tmp_path, monkeypatch):
    asked = []

    def seen(connection, cursor, statement, *_) -> None:
        asked.append(statement)

    with Planner.open(f"sqlite:///{tmp_path / 'new.db'}") as fresh:
        fresh.store.append([Run(prompt="How many?", generator="small", answer="5")])
        event.listen(fresh.store.database.engine, "before_cursor_execute", seen)
        fresh.watched()
        for _ in range(3):
            with pytest.raises(NoActivePolicy, match="planner fit"):
                _ = fresh.policy
        n_asked = len(asked)
        monkeypatch.setattr(planner.api.home, "LOOK_AGAIN_SECONDS", 0.0)
        with pytest.raises(NoActivePolicy):
            _ = fresh.policy
    assert len(asked) == 2 * n_asked
    assert not any("count(" in statement.lower() for statement in asked)


def test_a_store_that_is_not_there_is_not_made_unless_asked(tmp_path):
    with pytest.raises((StoreError, SchemaOutdated)):
        Planner.open(f"sqlite:///{tmp_path / 'none.db'}", create=False)
    assert not (tmp_path / "none.db").exists()


def test_artifacts_moved_with_their_store_are_found(home, tmp_path, monkeypatch):
    moved = tmp_path / "moved"
    home.rename(moved)
    monkeypatch.chdir(moved)
    with Planner.open() as planner:
        assert planner.recommend(PROMPT, Budget(max_generations=2)).arm is not None


def test_the_default_folder_of_artifacts_lies_beside_the_store(opened, home):
    assert opened.artifacts.root.resolve() == (home / "planner-artifacts").resolve()
