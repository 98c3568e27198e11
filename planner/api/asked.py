"""A prompt as its run is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.core.arguments import check_text
from planner.policy import PromptInput
from planner.policy.chat import Described, Prompt, prompt_input

if TYPE_CHECKING:
    from planner.core import Message


@dataclass(frozen=True)
class Asked:
    """One prompt: as it is planned for, as it is sent, and the answer that is right where that is known."""

    input: PromptInput
    chat: Prompt
    reference: str | None = None

    @classmethod
    def of(cls, prompt: Described) -> Asked:
        """From text, chat messages, or {prompt, prompt_id?, reference?, dataset?, metadata?, probes?}.

        Raises InvalidInput for anything else.
        """
        if not isinstance(prompt, Mapping):
            return cls(prompt_input(prompt), prompt)
        asked = prompt_input({name: value for name, value in prompt.items() if name != "reference"})
        check_text("reference", prompt.get("reference"))
        return cls(asked, prompt["prompt"], prompt.get("reference"))

    @property
    def planned(self) -> dict[str, Any]:
        """The prompt as `Planner.recommend_batch` takes it."""
        given = self.input
        return {
            "prompt": self.chat,
            "prompt_id": given.prompt_id,
            "dataset": given.dataset,
            "metadata": given.metadata,
            "probes": given.probes,
        }

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation to be sent."""
        from planner.core.calls import Message  # noqa: PLC0415 - nothing of it is needed to plan

        if isinstance(self.chat, str):
            return (Message("user", self.chat),)
        return tuple(Message(str(one.get("role", "user")), one.get("content")) for one in self.chat)
