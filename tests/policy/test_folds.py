from __future__ import annotations

import numpy as np

from planner.curves.logs import PromptTable
from planner.policy.folds import fold_of_prompts
from planner.store.rows import text_hash
from planner.texts.kept import HashedText


def prompts(texts):
    n = len(texts)
    return PromptTable(tuple(f"p{i}" for i in range(n)), tuple(texts), (None,) * n, ({},) * n)


def test_equal_texts_share_a_fold():
    fold = fold_of_prompts(prompts([f"question {i // 2}" for i in range(100)]), 5, 0)
    assert (fold[::2] == fold[1::2]).all()


def test_folds_are_of_about_equal_sizes():
    sizes = np.bincount(fold_of_prompts(prompts([f"question {i}" for i in range(103)]), 5, 0), minlength=5)
    assert sizes.max() - sizes.min() <= 1


def test_prompts_without_text_are_their_own():
    assert len(set(fold_of_prompts(prompts([None] * 50), 5, 0))) == 5


def test_prompts_that_all_have_one_text_are_held_out_one_by_one():
    assert len(set(fold_of_prompts(prompts(["question"] * 50), 5, 0))) == 5


def test_equal_texts_share_a_fold_where_they_are_not_stored():
    hashed = [HashedText(text_hash(f"question {i // 2}")) for i in range(100)]
    fold = fold_of_prompts(prompts([*hashed, *(f"question {i}" for i in range(50))]), 5, 0)
    assert (fold[:100:2] == fold[1:100:2]).all()
    assert (fold[:100:2] == fold[100:]).all()


def test_the_same_seed_gives_the_same_folds():
    table = prompts([f"question {i}" for i in range(30)])
    assert (fold_of_prompts(table, 3, 7) == fold_of_prompts(table, 3, 7)).all()
