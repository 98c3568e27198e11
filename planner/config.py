"""Settings: the only reader of the environment. Argument > flag > environment > planner.toml > default."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from planner.errors import InvalidInput

_PREFIX = "PLANNER_"


class AnswerNames(BaseModel):
    """How the answers of a data set are read and graded: names as of `--extract` and `--grade`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: str | None = None
    grade: str | None = None


class ConventionNames(BaseModel):
    """How an endpoint's models are spoken to; what is not given stays as it is, see `planner.core.Conventions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step_separator: str | None = Field(default=None, min_length=1)
    revision_instruction: str | None = Field(default=None, min_length=1)
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    body: Mapping[str, Any] | None = None


class Settings(BaseModel):
    """Where store, artifacts and models are, and how the planner logs. A secret prints as asterisks.

    store_prompt_text: off, the store keeps of a new prompt its hash and a sketch that difficulty is learned from, of
    its answers no text, and of those over 64 characters a hash; ids, references and metadata are kept as they come.
    What was stored before stays.
    endpoints: URLs of generators that are served elsewhere, by name. verifiers: `module:function`, `command:...`,
    `judge:MODEL` or a URL, by name. datasets: how answers of runs are read and graded, by data set; an import
    is told by its options. conventions: how the models of a URL are spoken to. These four are tables of planner.toml,
    or JSON in the environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(default="sqlite:///planner.db", repr=False)
    artifact_dir: Path | None = None
    store_prompt_text: bool = True
    endpoint_url: str | None = None
    api_key: SecretStr | None = None
    verifier_url: str | None = None
    max_concurrency: int = Field(default=16, ge=1)
    request_timeout_seconds: float = Field(default=120.0, gt=0)
    endpoints: Mapping[str, str] = Field(default_factory=dict)
    verifiers: Mapping[str, str] = Field(default_factory=dict)
    datasets: Mapping[str, AnswerNames] = Field(default_factory=dict)
    conventions: ConventionNames = Field(default_factory=ConventionNames)
    service_token: SecretStr | None = None
    service_log_token: SecretStr | None = None
    service_read_token: SecretStr | None = None
    service_mode: Literal["apply", "observe", "bypass"] = "apply"
    service_budget: Mapping[str, float] = Field(default_factory=dict)
    service_keepalive_seconds: float = Field(default=5.0, gt=0)
    service_max_body_bytes: int = Field(default=16_000_000, ge=1)
    service_max_prompt_characters: int = Field(default=1_000_000, ge=1)
    service_max_batch: int = Field(default=10_000, ge=1)
    service_max_concurrency: int = Field(default=256, ge=1)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["text", "json"] = "text"

    @field_validator("service_budget", "endpoints", "verifiers", "datasets", "conventions", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        file: Path = Path("planner.toml"),
        **overrides: Any,  # noqa: ANN401 - each is checked against its field
    ) -> Settings:
        """Settings from overrides, the environment, `planner.toml` and the defaults, in that order.

        Raises InvalidInput, naming the setting and where it came from.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = dict(_read_toml(file)) if file.is_file() else {}
        for name in cls.model_fields:
            text = environ.get(_PREFIX + name.upper())
            if text:
                values[name] = text.lower() if name == "log_level" else text
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InvalidInput(f"settings (flags, {_PREFIX}* or {file}) cannot be used: {problems}") from error


def _read_toml(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from error
