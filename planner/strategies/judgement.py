"""The generator's own judgement of an answer so far, where there is no verifier: its prompt, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from planner.core import Completion, Generate, Message, Verdict
from planner.strategies.drawing import completions
from planner.strategies.steps import Chain, Chains, Steps

_QUESTION = (
    "Judge the answer above, which may not be finished yet: is everything right up to here, and does it lead to the "
    "right result? Do not go on with it. End with a line `Value: n`, where n goes from 0 (certainly wrong) to 10 "
    "(certainly right)."
)
_NUMBER = r"(?<![\w.])(\d+(?:\.\d+)?)(?:\s*(%)|\s*(?:/|out of)\s*(\d+))?"
_SAID = re.compile(r"value\W{0,5}" + _NUMBER.removeprefix(r"(?<![\w.])"), re.IGNORECASE)
_ANY = re.compile(_NUMBER)
# Yao et al. 2023 ask for words.
_WORDS = {"impossible": 0.0, "unlikely": 0.2, "maybe": 0.5, "likely": 0.8, "sure": 1.0, "certain": 1.0}
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)


def judged_by_generator(steps: Steps, chains: Sequence[Chain]) -> Chains:
    """The chains with the generator's own values as scores; each verdict counts one generation."""
    asked = {chain.text: _request(steps, chain.text) for chain in chains}
    if not asked:
        return []
    replies = yield tuple(asked.values())
    verdicts = {text: _verdict(completions(reply)) for text, reply in zip(asked, replies, strict=True)}
    result = []
    for chain in chains:
        result.append(chain.judged(verdicts[chain.text], paid=chain.text in asked))
        asked.pop(chain.text, None)
    return result


def read_value(text: str) -> float | None:
    """A value in 0..1 from what a model wrote: `Value: 7`, 7/10, 70%, a share below 1, or a word; None without any.

    The last one counts, since models think first. A number without a scale is of ten.

    >>> read_value("Step 2 looks fine. Value: 7"), read_value("80%"), read_value("I am sure."), read_value("?")
    (0.7, 0.8, 1.0, None)
    """
    found = _SAID.findall(text) or _ANY.findall(text)
    if found:
        number, percent, scale = found[-1]
        of = 100 if percent else float(scale or (1 if "." in number and float(number) <= 1 else 10))
        return min(1.0, float(number) / of) if of else None
    words = _WORD.findall(text)
    return _WORDS[words[-1].lower()] if words else None


def _request(steps: Steps, text: str) -> Generate:
    messages = (*steps.task.messages, Message("assistant", text), Message("user", _QUESTION))
    asked = steps.request(Chain(), generations=1, greedy=True)
    return replace(asked, messages=messages, stop=(), max_tokens=steps.answer_tokens)


def _verdict(reply: Sequence[Completion]) -> Verdict:
    if not reply or reply[0].finish == "error":
        return Verdict(None)
    one = reply[0]
    known = one.prompt_tokens is not None and one.completion_tokens is not None
    read = (one.prompt_tokens or 0) - one.cached_tokens + (one.completion_tokens or 0)
    return Verdict(read_value(one.text), tokens=read if known else None, latency_seconds=one.latency_seconds)
