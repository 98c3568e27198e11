"""One tree of exceptions; the command line and the service turn its classes into exit codes and statuses.

PlannerError                                exit 1   HTTP 500
├── InvalidInput (also a ValueError)             2        422
│   ├── UnknownStrategy, UnknownModel, InfeasibleBudget, BadLog
├── NotReady                                     3        409
│   ├── NoActivePolicy, NotEnoughData (NothingGraded is one), SchemaOutdated
├── ArtifactError                                4        500
│   ├── ArtifactCorrupt, ArtifactIncompatible
├── StoreError                                   5        503
└── EndpointError                                6        502
    └── EndpointUnavailable (worth another try), EndpointRejected (RequestRefused is one), EndpointTimeout
"""

from __future__ import annotations

from typing import ClassVar


class PlannerError(Exception):
    """Base of every error that the planner raises on purpose; its text says what to do next."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500


class InvalidInput(PlannerError, ValueError):
    """What the caller gave cannot be used as it is."""

    exit_code = 2
    http_status = 422


class UnknownStrategy(InvalidInput):
    """No search or selection of that name is known."""


class UnknownModel(InvalidInput):
    """No generator or verifier of that name is in the logs or the model cards."""


class InfeasibleBudget(InvalidInput):
    """No arm fits the budget; the text names the least budget that one would fit.

    `least` is that budget where an average over traffic was asked for.
    """

    least: float | None = None


class BadLog(InvalidInput):
    """A log holds lines that cannot be read; the text names file, line, field and what was expected."""


class NotReady(PlannerError):
    """The request is fine, but something has to be done first; the text holds the command."""

    exit_code = 3
    http_status = 409


class NoActivePolicy(NotReady):
    """No policy has been promoted yet."""


class NotEnoughData(NotReady):
    """Too little is logged for what was asked."""


class NothingGraded(NotEnoughData):
    """No outcome is known: nothing is logged, or none of it has a grade."""

    def __init__(self) -> None:
        super().__init__(
            "no graded outcome is logged: import graded runs with `planner logs import FILE`, or the same files again "
            "with --grade NAME, which compares answers with their prompts' references; `planner grade` grades one run"
        )


class SchemaOutdated(NotReady):
    """The store's schema is behind this version of the planner."""


class ArtifactError(PlannerError):
    """A fitted policy on disk cannot be used."""

    exit_code = 4


class ArtifactCorrupt(ArtifactError):
    """A file of the artifact is missing or differs from the hash in its manifest.

    found: that, without what to do next, which depends on what the artifact is wanted for.
    """

    def __init__(self, words: str, *, found: str = "") -> None:
        super().__init__(words)
        self.found = found or words


class ArtifactIncompatible(ArtifactError):
    """The artifact was written by another, incompatible version."""


class StoreError(PlannerError):
    """The SQL store cannot be reached, read or written."""

    exit_code = 5
    http_status = 503


class EndpointError(PlannerError):
    """A model's server did not do what was asked; the text names the server and what to do, never a key.

    abandoned: tries that were given up on, after which the server may have gone on, and bill what it wrote.
    """

    exit_code = 6
    http_status = 502
    abandoned: int = 0


class EndpointUnavailable(EndpointError):
    """The server cannot be reached, is overloaded, or broke off: another try may succeed."""


class EndpointRejected(EndpointError):
    """The server refused the request, or answered what cannot be read: another try would not help."""


class RequestRefused(EndpointRejected):
    """The server refuses what is asked of it, not how: the prompt is too long for the model, or against its rules.

    code: why, as OpenAI's API names it.
    """

    def __init__(self, words: str, *, code: str) -> None:
        super().__init__(words)
        self.code = code


class EndpointTimeout(EndpointError):
    """The server took longer than a request may."""

    abandoned = 1
