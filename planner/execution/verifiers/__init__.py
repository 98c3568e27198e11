"""Verifiers: what gives each candidate a score, over HTTP, by a language model, a function or a command."""

from planner.execution.verifiers.command import CommandVerifier
from planner.execution.verifiers.function import CallableVerifier
from planner.execution.verifiers.judge import JudgeVerifier
from planner.execution.verifiers.remote import RemoteVerifier
from planner.execution.verifiers.verifier import Verifier

__all__ = ["CallableVerifier", "CommandVerifier", "JudgeVerifier", "RemoteVerifier", "Verifier"]
