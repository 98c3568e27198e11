from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Base of every core type: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
