"""OpenAI-compatible servers over HTTP: what each takes is learned from its first answers, and remembered."""

from planner.execution.openai.endpoint import OpenAIEndpoint
from planner.execution.openai.wire import Wire

__all__ = ["OpenAIEndpoint", "Wire"]
