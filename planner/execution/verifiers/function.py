from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

from planner.core import Verdict, Verify
from planner.errors import EndpointRejected
from planner.execution.functions import call, load_function
from planner.execution.openai.tokens import plain_text


class CallableVerifier:
    """A Python function as verifier: `function(prompt, answer)` gives a score in 0..1, or one a step.

    It is called in threads, so it has to bear calls side by side; one that is async is awaited. It costs no tokens.
    """

    def __init__(self, function: Callable[[str, str], Any] | str) -> None:
        """`function`: itself or its name, `module:function`; raises InvalidInput where that cannot be loaded."""
        self._function = load_function(function) if isinstance(function, str) else function
        self._name = function if isinstance(function, str) else getattr(function, "__name__", repr(function))

    async def verify(self, request: Verify) -> tuple[Verdict, ...]:
        """One verdict a candidate, in order. Raises EndpointRejected where the function fails."""
        prompt = "\n\n".join(plain_text(message.content) for message in request.messages)
        return tuple(await asyncio.gather(*(self._score(prompt, candidate) for candidate in request.candidates)))

    async def aclose(self) -> None:
        """Nothing is held."""

    async def _score(self, prompt: str, candidate: str) -> Verdict:
        try:
            said = await call(self._function, prompt, candidate)
            steps = tuple(float(one) for one in said) if isinstance(said, Sequence) else (float(said),)
        except Exception as error:
            raise EndpointRejected(f"the verifier {self._name} failed on a candidate: {error!r}") from error
        if not steps or not all(math.isfinite(one) and 0 <= one <= 1 for one in steps):
            raise EndpointRejected(f"the verifier {self._name} gave {said!r}: scores lie in 0..1")
        return Verdict(steps[-1], step_scores=steps if isinstance(said, Sequence) else None, tokens=0)
