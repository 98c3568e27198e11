"""The part of the facade that plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from planner.api.asked import Asked
from planner.api.home import Home
from planner.config import Settings
from planner.core import Arm, Budget, Recommendation
from planner.core.arguments import check_arm, check_budget, check_number, names, prompts_of
from planner.errors import InvalidInput
from planner.policy import PromptInput, Restriction
from planner.policy.chat import Described, Prompt, described, prompt_input

if TYPE_CHECKING:
    from planner.core import Probe

T = TypeVar("T")
R = TypeVar("R")
MOST_REMEMBERED = 10_000
"""Plans whose prompts are at hand for `Planner.run`."""


class Recommending(Home):
    """Recommends arms, stores what it recommends, and remembers for which prompt: a plan itself bears no text."""

    def __init__(self, settings: Settings, *, create: bool = True) -> None:
        """Prefer `Planner.open`."""
        super().__init__(settings, create=create)
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self.most_remembered = MOST_REMEMBERED

    def recommend(
        self,
        prompt: Prompt,
        budget: Budget | None = None,
        *,
        prompt_id: str | None = None,
        dataset: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        probes: Sequence[Probe] = (),
        target_accuracy: float | None = None,
        arm: Arm | None = None,
        generators: Sequence[str] = (),
        searches: Sequence[str] = (),
        selections: Sequence[str] = (),
        seed: int = 0,
    ) -> Recommendation:
        """The arm that the prompt's budget is best spent on; it is stored with its propensity.

        Raises InfeasibleBudget, naming the least budget that one would fit, and InvalidInput for unknown names, and
        for an `arm` that bears others than those it is restricted to.
        """
        asked = described(prompt, prompt_id, dataset, metadata, probes)
        _check(budget, target_accuracy, arm)
        restriction = _restriction(generators, searches, selections, arm)
        answer = self.policy.recommend(
            [asked], budget, target_accuracy=target_accuracy, arm=arm, restriction=restriction, seed=seed
        )[0]
        if not isinstance(answer, Recommendation):
            raise answer
        self._serving.record([answer])
        self._remember(answer, asked, prompt)
        return answer

    def recommend_batch(
        self,
        prompts: Sequence[Described | PromptInput],
        budget: Budget | None = None,
        *,
        total: Budget | None = None,
        target_accuracy: float | None = None,
        arm: Arm | None = None,
        generators: Sequence[str] = (),
        searches: Sequence[str] = (),
        selections: Sequence[str] = (),
        seed: int = 0,
    ) -> list[Recommendation | InvalidInput]:
        """One answer a prompt, in order; a prompt that no arm fits gets its error as a value.

        `total` (one ceiling) is spent over all prompts together where it pays; `budget` limits each of them.
        A prompt is text, chat messages, a mapping {prompt, prompt_id?, dataset?, metadata?, probes?}, or a PromptInput.
        """
        prompts = prompts_of(prompts)
        inputs = each(prompts, prompt_input)
        _check(budget, target_accuracy, arm, total)
        restriction = _restriction(generators, searches, selections, arm)
        if total is not None and (target_accuracy is not None or arm is not None):
            raise InvalidInput("a total is allocated where it pays: give it without target_accuracy and arm")
        if total is None:
            answers = self.policy.recommend(
                inputs, budget, target_accuracy=target_accuracy, arm=arm, restriction=restriction, seed=seed
            )
        else:
            answers = self.policy.allocate(inputs, total, budget=budget, restriction=restriction) if inputs else []
        self._serving.record([answer for answer in answers if isinstance(answer, Recommendation)])
        for asked, answer, prompt in zip(inputs, answers, prompts, strict=True):
            if isinstance(answer, Recommendation):
                self._remember(answer, asked, prompt)
        return answers

    def _remember(self, plan: Recommendation, asked: PromptInput, prompt: Described | PromptInput) -> None:
        if self.most_remembered == 0:
            return
        # A text is told first: whether it is a mapping takes as long to find out as all else here.
        chat: Prompt
        if isinstance(prompt, str):
            chat = prompt
        elif isinstance(prompt, PromptInput):
            chat = prompt.text
        else:
            chat = prompt["prompt"] if isinstance(prompt, Mapping) else prompt
        self._asked[plan.recommendation_id] = Asked(asked, chat)
        if len(self._asked) > self.most_remembered:
            with self._lock:
                while len(self._asked) > self.most_remembered:
                    self._asked.popitem(last=False)


def each(prompts: Sequence[T], read: Callable[[T], R]) -> list[R]:
    """What is read of each prompt; raises InvalidInput, naming the place, where one cannot be read."""
    found: list[R] = []
    try:
        for prompt in prompts:
            found.append(read(prompt))  # noqa: PERF401 - how many there are tells which failed
    except InvalidInput as error:
        raise InvalidInput(f"prompts[{len(found)}]: {error}") from error
    return found


def _check(budget: Budget | None, target_accuracy: float | None, arm: Arm | None, total: Budget | None = None) -> None:
    check_budget("budget", budget)
    check_budget("total", total)
    check_number("target_accuracy", target_accuracy)
    check_arm(arm)


def _restriction(
    generators: Sequence[str], searches: Sequence[str], selections: Sequence[str], arm: Arm | None
) -> Restriction:
    found = Restriction(names("generators", generators), names("searches", searches), names("selections", selections))
    if arm is not None:
        found.check(arm)
    return found
