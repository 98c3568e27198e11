"""How a request that was passed through is logged: as samples of one model, with the tokens that it took."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from planner.core import Cost, Generate, Run, Sample
from planner.core.run import Status
from planner.errors import PlannerError
from planner.execution.graders import Grades
from planner.execution.openai.completions import share
from planner.execution.openai.parsing import Choice, read_choices
from planner.execution.openai.streamed import Streamed
from planner.execution.openai.tokens import TokenEstimate, text_bytes
from planner.execution.prices import Counts, Prices
from planner.execution.run_log import run_costs
from planner.execution.runner import Runner
from planner.execution.session import SEARCH
from planner.execution.tally import Tally
from planner.service.gateway.counted import Beside, counted
from planner.service.gateway.request import Ask
from planner.strategies.drawing import storable

LOGGER = logging.getLogger("planner.service.gateway")
MOST_BYTES = 8_000_000
"""Of a stream that is looked at: what is longer is passed on, and logged without its text."""
_FINISHED_OTHERWISE = {"tool_calls", "function_call"}
_STATUS: Mapping[str, Status] = {"stop": "ok", "length": "truncated", "error": "error"}
_SETTINGS = (
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "reasoning_effort", "verbosity",
)  # fmt: skip


class PlainLog:
    """One request that is passed through, from its beginning in the journal to its line in the log.

    A prompt without a text is counted, not logged.
    """

    def __init__(self, runner: Runner, ask: Ask, model: str, estimate: TokenEstimate) -> None:
        """`estimate`: of the model's tokens, for what its server does not count."""
        self.run_id = uuid.uuid4().hex
        self._counts, self._cost = Counts(), Cost()
        self._beside, self._estimate = Beside(), estimate
        self._is_good = self._is_refused = False
        self._runner, self._ask, self._model = runner, ask, model
        self._n = int(ask.raw.get("n") or 1)
        self._began, self._started_at = time.monotonic(), datetime.now(UTC)
        self._streamed = Streamed(self._n, lambda _: False)
        self._size = 0
        self._data: Any = None
        self._samples: tuple[Sample, ...] = ()
        self._answers: frozenset[int] = frozenset()
        text = ask.text
        self._text = None if text is None or "\0" in text else text
        if self._text is not None:
            runner.log.begin(self._line("error", ()))

    @property
    def is_kept(self) -> bool:
        """Whether it will stand in the log under its id."""
        return self._text is not None and not self._is_refused

    def feed(self, piece: bytes) -> None:
        """Some bytes of a stream."""
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._streamed.feed(piece)
            self._beside.feed(piece)

    def streamed(self) -> None:
        """The stream came to its end."""
        self._is_good = True

    def whole(self, data: object) -> None:
        """The whole body of an answer that does not stream, as JSON; None where it is none."""
        self._is_good = True
        self._data = data
        self._beside.add(data)

    def refused(self) -> None:
        """The server did not take the request: nothing was spent."""
        self._is_refused = True

    def end(self) -> Cost:
        """The request is over; gives its cost, of what broke off as far as it is known."""
        if self._is_refused:
            if self._text is not None:
                self._runner.log.forget(self.run_id)
            return Cost()
        if self._size:
            self._data = self._streamed.data
            # Clients close a stream at its last event, which its server may end later.
            self._is_good |= self._streamed.is_whole
        self._counts = counted(self._data, self._beside.size, self._ask, self._n, self._estimate)
        self._cost = self._priced()
        if self._text is not None and self._is_good:
            self._samples = self._read()
        return self._cost

    async def write(self) -> None:
        """Once it is over: write its line, graded where the right answer is known. A grader that fails grades none."""
        if not self.is_kept:
            return
        grades, samples = Grades(None, None), self._samples
        try:
            grades = Grades(self._runner.grader(_Judged(self._ask)), self._ask.reference)
            await grades.take(filter(self._is_answer, samples))
        except PlannerError as error:
            LOGGER.warning("run %s is not graded: %s", self.run_id, error)
        finally:
            graded = tuple(
                one.model_copy(update={"correct": grades.of(one)}) if self._is_answer(one) else one for one in samples
            )
            self._runner.log.add(self._line(graded[0].status if graded else "error", graded))

    def _priced(self) -> Cost:
        tally = Tally(Prices(self._runner.cards))
        tally.add(Generate(self._model, (), n=self._n), self._counts)
        return tally.cost(time.monotonic() - self._began)

    def _read(self) -> tuple[Sample, ...]:
        reading = self._runner.reading(_Judged(self._ask))
        prompt, written = self._counts.prompt, self._counts.completion
        choices, samples = read_choices(self._data), []
        self._answers = frozenset(place for place, choice in enumerate(choices) if _can_be_right(choice))
        # Of several samples each had all of the prompt, and of what was written its share.
        weights = [text_bytes(choice.text or "") for choice in choices]
        shares = [None] * len(choices) if written is None else share(round(written), weights)
        for place, choice in enumerate(choices):
            text = None if choice.text is None else storable(choice.text)
            answer = None if not text else reading.extract(text)
            status = "ok" if choice.said in _FINISHED_OTHERWISE else _STATUS[choice.finish]
            samples.append(
                Sample(
                    chain=place,
                    text=text,
                    answer=None if answer is None else storable(answer),
                    status=status,
                    generator=self._model,
                    prompt_tokens=None if prompt is None else round(prompt),
                    completion_tokens=shares[place],
                )
            )
        return tuple(samples)

    def _is_answer(self, sample: Sample) -> bool:
        return sample.chain in self._answers

    def _line(self, status: Status, samples: tuple[Sample, ...]) -> Run:
        ask = self._ask
        one = samples[0] if len(samples) == 1 else None
        return Run(
            run_id=self.run_id,
            prompt_id=ask.prompt_id,
            prompt=self._text,
            dataset=ask.dataset,
            reference=ask.reference,
            metadata=dict(ask.metadata),
            generator=self._model,
            search="sampling" if _is_outcome(ask) else SEARCH,
            selection="first" if self._n == 1 else None,
            breadth=self._n,
            params=_settings(ask),
            answer=None if one is None else one.answer,
            correct=None if one is None else one.correct,
            status=status,
            started_at=self._started_at,
            samples=samples,
            **run_costs(self._cost, 0),
        )


class _Judged:
    """What says how an answer is read."""

    def __init__(self, ask: Ask) -> None:
        self.dataset, self.reference, self.metadata = ask.dataset, ask.reference, ask.metadata
        self.extract, self.grade = ask.extract, ask.grade


def _can_be_right(choice: Choice) -> bool:
    """Whether it is an answer: a call of a tool is neither right nor wrong, nor is what was said with it."""
    return choice.text is not None and choice.said not in _FINISHED_OTHERWISE


def _is_outcome(ask: Ask) -> bool:
    """Whether it says what the model does with such a prompt, not with tools, or up to a text of the client's."""
    return ask.untouched is None and not ask.limits.stop


def _settings(ask: Ask) -> dict[str, Any]:
    """What tells this pool of samples from others of the model: it is never mixed with pools of other settings."""
    if ask.untouched is not None:
        return {"untouched": storable(ask.untouched)}
    given = {name: ask.raw.get(name) for name in _SETTINGS} | {"max_tokens": ask.limits.max_tokens}
    kept = {name: value for name, value in given.items() if isinstance(value, int | float | str)}
    return {name: storable(value) if isinstance(value, str) else value for name, value in kept.items()}
