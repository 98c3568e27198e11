from __future__ import annotations

import asyncio
import re
import time

from planner.core import Completion, Endpoint, Generate, Message, Verdict, Verify
from planner.errors import EndpointError
from planner.execution.lengths import Judging
from planner.execution.openai.tokens import plain_text, text_bytes

PROMPT = (
    "Judge whether the answer below solves the problem. Check it step by step, then end with one line: "
    "`Verdict: correct` or `Verdict: incorrect`.\n\nProblem:\n{problem}\n\nAnswer:\n{answer}"
)
"""Asks for a verdict; a prompt of another wording may ask for `Score:` with a number instead."""

_PLACES = re.compile(r"(\{problem\}|\{answer\})")
_LABEL = r"\b(?:(?:verdict|score|rating|grade|judge?ment|correctness)\W{0,6}(?:is\b)?|correct[\s*_`]{0,4}[:=])\W{0,6}"
# Possessive, and never two repetitions of the same characters side by side: judges may be made to write anything.
_NUMBER = r"(\d++(?:\.\d++)?+)\s*+(?:(%)|(?:/|out of)\s*+(\d++(?:\.\d++)?+))?+(?!(?:[^\W\d]|\.)*+\d)"
_SAID_NUMBER = re.compile(_LABEL + _NUMBER)
_WRONG = r"incorrect|not\s+(?:\w+\s+)?(?:correct|right|valid)|wrong|invalid|false|no"
_RIGHT = r"correct|right|valid|true|yes"
_SAID_WORD = re.compile(rf"{_LABEL}(?:(?P<wrong>{_WRONG})|(?P<right>{_RIGHT}))\b")
_WORD = re.compile(rf"\b(?:(?P<wrong>{_WRONG})|(?P<right>{_RIGHT}))\b")
_HEDGED = re.compile(rf"\b(?:partially|partly|half|mostly|almost|nearly|somewhat)[\s-](?:{_RIGHT})\b")
_WHOLE_NUMBER = re.compile(rf"{_NUMBER}\W*+")
MOST_CHARACTERS = 20_000
"""Of a longer text the end is read: it is where the verdict stands."""


class JudgeVerifier:
    """A language model as verifier: it is asked for a verdict or score of each candidate, and its words are read.

    Each verdict counts one generation, and all of its tokens. prompt: with {problem} and {answer}.
    scale: the best score that the prompt asks for, where the model doesn't say it itself ("7/10", "70%").
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        prompt: str = PROMPT,
        scale: float = 1.0,
        max_tokens: int | None = 1024,
        temperature: float | None = 0.0,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._prompt = prompt
        self._scale = scale
        self._max_tokens = max_tokens
        self._temperature = temperature

    @property
    def judging(self) -> Judging:
        """What a verdict takes beside problem and answer."""
        wording = "".join(_PLACES.split(self._prompt)[::2])
        return Judging(text_bytes(wording), self._max_tokens)

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order; one that could not be had or read has no score.

        Raises EndpointError where none could be had.
        """
        problem = "\n".join(plain_text(message.content) for message in request.messages)
        asked = (self._judge(problem, candidate) for candidate in request.candidates)
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        unforeseen = [failure for failure in failures if not isinstance(failure, EndpointError)]
        if unforeseen or (failures and len(failures) == len(outcomes)):
            raise (unforeseen or failures)[0]
        return tuple(Verdict(None) if isinstance(outcome, BaseException) else outcome for outcome in outcomes)

    async def aclose(self) -> None:
        """The endpoint belongs to whoever gave it."""

    async def _judge(self, problem: str, candidate: str) -> Verdict:
        # Only the two names are filled in: problems and prompts hold braces of their own.
        filled = {"{problem}": problem, "{answer}": candidate}
        text = "".join(filled.get(part, part) for part in _PLACES.split(self._prompt))
        started = time.monotonic()
        replies = await self._endpoint.generate(
            Generate(self._model, (Message("user", text),), temperature=self._temperature, max_tokens=self._max_tokens)
        )
        said = replies[0]
        return Verdict(
            read_verdict(said.text, scale=self._scale),
            tokens=_tokens(said),
            written=0 if _tokens(said) is None else said.completion_tokens or 0,
            generations=1.0,
            latency_seconds=time.monotonic() - started,
            estimated=said.estimated,
            abandoned=said.abandoned,
        )


def read_verdict(text: str, *, scale: float = 1.0) -> float | None:
    """The verdict that a judge's text ends with, in 0..1; None where none can be read.

    The last labelled verdict or score counts (`Verdict: incorrect`, `Score: 7/10`), else a text that is a number
    alone, else the last line's word, where it speaks for one side only and whole ("partially correct" does not).

    >>> read_verdict("The sum is right. Verdict: **correct**")
    1.0
    >>> read_verdict("Score: 7/10")
    0.7
    """
    lines = [line for one in text[-MOST_CHARACTERS:].lower().splitlines() if (line := " ".join(one.split()))]
    said = "\n".join(lines)
    words = list(_SAID_WORD.finditer(said))
    # "Verdict: correct: 3 checks passed" says a word; the number after it is no score.
    inside = {place for word in words for place in range(word.start() + 1, word.end())}
    labelled = [*words, *(number for number in _SAID_NUMBER.finditer(said) if number.start() not in inside)]
    if labelled:
        last = max(labelled, key=lambda match: match.start())
        return _share(last, scale) if last.re is _SAID_NUMBER else float(last["right"] is not None)
    if whole := _WHOLE_NUMBER.fullmatch(said):
        return _share(whole, scale)
    if not lines or _HEDGED.search(lines[-1]):
        return None
    sides = {match.lastgroup for match in _WORD.finditer(lines[-1])}
    return float(sides == {"right"}) if len(sides) == 1 else None


def _share(number: re.Match[str], scale: float) -> float | None:
    best = 100.0 if number[2] else float(number[3]) if number[3] else scale
    share = float(number[1]) / best if best > 0 else -1.0
    return share if 0.0 <= share <= 1.0 else None


def _tokens(said: Completion) -> int | None:
    if said.prompt_tokens is None or said.completion_tokens is None:
        return None
    return said.prompt_tokens - said.cached_tokens + said.completion_tokens
