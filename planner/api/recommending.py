"""The part of the facade that plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from planner.api.asked import Asked
from planner.api.home import Home
from planner.config import Settings
from planner.core import Arm, Budget, Recommendation
from planner.errors import InvalidInput
from planner.policy import PromptInput, Restriction
from planner.policy.chat import Described, Prompt, prompt_input, prompt_text

if TYPE_CHECKING:
    from planner.core import Probe

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
        asked = PromptInput(prompt_text(prompt), prompt_id, dataset, metadata or {}, tuple(probes))
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
        inputs = [prompt_input(prompt) for prompt in prompts]
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


def _restriction(
    generators: Sequence[str], searches: Sequence[str], selections: Sequence[str], arm: Arm | None
) -> Restriction:
    found = Restriction(tuple(generators), tuple(searches), tuple(selections))
    if arm is not None:
        found.check(arm)
    return found
