"""The tables: every one and every column says what it holds, for people who open the file with sqlite3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its zone: kept in UTC, given back in UTC, also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a time without a zone is refused."""
        del dialect
        if value is None:
            return None
        assert value.tzinfo is not None, "times in the store bear a zone"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say again that it is UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _key(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False, comment="Key inside this file.")


def _to(target: str, comment: str, *, nullable: bool = False, index: bool = False) -> Column[int]:
    name = target.split(".")[1]
    return Column(name, Integer, ForeignKey(target), nullable=nullable, index=index, comment=comment)


def _filled() -> Column[int]:
    # No foreign key: SQLite cannot add one to a table that is there.
    return _integer("grade_import_key", "Import that filled the grade, where a later one did (imports.import_key).")


def _text(name: str, comment: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, comment=comment)


def _integer(name: str, comment: str, *, nullable: bool = True) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, comment=comment)


def _number(name: str, comment: str, *, nullable: bool = True) -> Column[float]:
    return Column(name, Double, nullable=nullable, comment=comment)


def _time(name: str, comment: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, UtcDateTime, nullable=nullable, comment=comment)


imports = Table(
    "imports",
    metadata,
    _key("import_key"),
    _text("import_id", "Id of the import, as `planner logs undo` takes it."),
    _text("source", "File or other place that the runs came from."),
    _text("sha256", "SHA-256 of the file's bytes; null where it was not a file.", nullable=True),
    _text("format", "Format that it was read as.", nullable=True),
    _time("imported_at", "When it was imported, UTC.", nullable=False),
    _integer("n_runs", "Runs that were added.", nullable=False),
    _integer("n_samples", "Samples that were added.", nullable=False),
    _integer("n_duplicates", "Runs that were skipped, since their run_id was known.", nullable=False),
    _integer("n_graded", "Null grades of known runs that the import filled.", nullable=False),
    _text("warnings", "JSON array of what the checks at import found.", nullable=True),
    _text("score_scales", "JSON object by verifier: how its scores were mapped into 0..1.", nullable=True),
    UniqueConstraint("import_id"),
    comment="One row an import of logs.",
)

prompts = Table(
    "prompts",
    metadata,
    _key("prompt_key"),
    _text("prompt_id", "Id of the prompt as logged, else the SHA-256 of its text."),
    _text("text_sha256", "SHA-256 of the text in UTF-8."),
    _integer("n_characters", "Length of the text in characters.", nullable=False),
    _text("text", "The question; null where PLANNER_STORE_PROMPT_TEXT is off.", nullable=True),
    _text("dataset", "Data set that it comes from.", nullable=True),
    _text("reference", "Gold answer.", nullable=True),
    _text("metadata", "Free JSON object; scalar members may be features of a fit.", nullable=True),
    _to("imports.import_key", "Import that brought the prompt.", nullable=True),
    Column(
        "sketch",
        LargeBinary,
        comment="Where the text is not kept, what its difficulty is learned from: a byte that says the version, "
        "numbers, and counts of word classes without their order (planner/texts/sketch.py).",
    ),
    UniqueConstraint("prompt_id"),
    comment="One row a prompt.",
)

models = Table(
    "models",
    metadata,
    _key("model_key"),
    _text("name", "Name of the generator or verifier."),
    _text("kind", "generator, orm or prm."),
    _integer("has_card", "1 if a model card was imported, 0 if only met in a log.", nullable=False),
    _number("active_params", "Parameters that work on a token: FLOPs are 2 x this x tokens."),
    _number("usd_per_million_prompt_tokens", "USD for 1,000,000 prompt tokens."),
    _number("usd_per_million_completion_tokens", "USD for 1,000,000 completion tokens."),
    _number("tokens_per_second", "Completion tokens a second of one request."),
    _integer("max_concurrency", "Requests that run side by side."),
    _integer("revision_context_attempts", "Earlier attempts that a reviser bears in its context."),
    UniqueConstraint("name"),
    comment="One row a generator or verifier: what its model card says; null is unknown.",
)

arms = Table(
    "arms",
    metadata,
    _key("arm_key"),
    _text("canonical", "Canonical JSON of the columns below, with names: equal arms are one row."),
    Column("generator_key", Integer, ForeignKey("models.model_key"), nullable=False, comment="Generator (models)."),
    Column("verifier_key", Integer, ForeignKey("models.model_key"), comment="Verifier (models), if any."),
    _text("search", "sampling, cascade, session, beam_search, lookahead, rebase, tree_of_thoughts, mcts, ..."),
    _text("selection", "first, last, majority_vote, ...; null: samples logged, none chosen.", nullable=True),
    _integer("breadth", "Chains in parallel.", nullable=False),
    _integer("depth", "Attempts in sequence in a chain.", nullable=False),
    _text("params", "Canonical JSON object: temperature, beam_width, stages of a cascade, ..."),
    UniqueConstraint("canonical"),
    comment="One row a way of making a run: generator, verifier, search, selection, size and parameters.",
)

runs = Table(
    "runs",
    metadata,
    _key("run_key"),
    _text("run_id", "Id of the run as logged, else a hash of its content: imported twice, it is one run."),
    _to("prompts.prompt_key", "Prompt that was answered.", index=True),
    _to("arms.arm_key", "How it was answered."),
    _to("imports.import_key", "Import that brought the run."),
    _integer("n_samples", "Rows of it in samples.", nullable=False),
    _integer("n_ungraded", "Grades that are still null: its samples', or its own.", nullable=False),
    _text("answer", "Final answer, normalised.", nullable=True),
    _number("correct", "0..1; null: not graded yet, or only the samples are."),
    _text("grader", "Who graded it, where it was graded later.", nullable=True),
    _integer("prompt_tokens", "Prompt tokens, counted once a sample."),
    _integer("completion_tokens", "Completion tokens of the whole run."),
    _integer("verifier_calls", "Calls of the verifier."),
    _integer("verifier_tokens", "Tokens that the verifier read."),
    _number("usd", "USD, if billed; else derived from model cards when needed."),
    _number("latency_seconds", "Seconds from start to answer, if measured."),
    _text("status", "ok, truncated or error."),
    _text("recommendation_id", "Recommendation that this run carried out.", nullable=True),
    _number("propensity", "Chance that the policy gave this arm to this prompt."),
    _time("started_at", "When it began, UTC."),
    _filled(),
    UniqueConstraint("run_id"),
    comment="One row a run: one search, by one generator, on one prompt. Null is unknown, never 0.",
)

samples = Table(
    "samples",
    metadata,
    Column("run_key", Integer, ForeignKey("runs.run_key"), primary_key=True, autoincrement=False, comment="Its run."),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="Place in the run, as logged, from 0."),
    _integer("chain", "Chain that it ends or stands in, from 0.", nullable=False),
    _integer("attempt", "Attempt within the chain, from 0.", nullable=False),
    _text("answer", "Answer, normalised: equal answers are equal texts.", nullable=True),
    _number("correct", "0..1; null: not graded yet."),
    _number("score", "Verifier's score in 0..1: of the last step, where steps are scored."),
    _number("score_min", "Least score of a step."),
    _text("step_scores", "JSON array of the scores of all steps.", nullable=True),
    _integer("prompt_tokens", "Prompt tokens: the prompt, and a revision's whole context."),
    _integer("completion_tokens", "Completion tokens."),
    _integer("verifier_tokens", "Tokens that the verifier read."),
    _number("latency_seconds", "Seconds, if measured."),
    _text("status", "truncated or error; null is ok.", nullable=True),
    _text("text", "Full text, if logged.", nullable=True),
    Column("generator_key", Integer, ForeignKey("models.model_key"), comment="Generator, if not its run's (models)."),
    Column("verifier_key", Integer, ForeignKey("models.model_key"), comment="Verifier, if not its run's (models)."),
    _integer("stage", "Stage of a cascade, from 0."),
    _filled(),
    # rows lie in the order of their runs, without a second index: appends and whole reads are sequential
    sqlite_with_rowid=False,
    comment="One row a sample: a finished candidate of a run.",
)

policies = Table(
    "policies",
    metadata,
    Column("policy_key", Integer, primary_key=True, comment="Key inside this file, rising with time."),
    _text("policy_id", "Id of the policy: the hash of its artifact."),
    _text("artifact_path", "Folder of the artifact."),
    _text("status", "candidate, promoted (one at most) or retired."),
    _time("created_at", "When it was fitted, UTC.", nullable=False),
    _time("promoted_at", "When it was last promoted, UTC."),
    _text("summary", "JSON object: short held-out report."),
    _text("reason", "Why it was promoted, kept as candidate or retired.", nullable=True),
    UniqueConstraint("policy_id"),
    comment="One row a fitted policy.",
)

recommendations = Table(
    "recommendations",
    metadata,
    Column("recommendation_key", Integer, primary_key=True, comment="Key inside this file, rising with time."),
    _text("recommendation_id", "Id of the recommendation."),
    _text("prompt_id", "Prompt that it was made for; it may be in no log."),
    _text("policy_id", "Policy that made it."),
    _number("propensity", "Chance that the policy gave this arm to this prompt.", nullable=False),
    _time("created_at", "When it was stored, UTC.", nullable=False),
    _text("body", "The whole recommendation as JSON: budget, arm, forecast, difficulty, reason, ..."),
    UniqueConstraint("recommendation_id"),
    comment="One row a recommendation that was served.",
)

fits = Table(
    "fits",
    metadata,
    Column("fit_key", Integer, primary_key=True, comment="Key inside this file, rising with time."),
    _text("fit_id", "Id of the fit."),
    _text("status", "running, done or failed."),
    _time("started_at", "When it began, UTC.", nullable=False),
    _time("finished_at", "When it ended, UTC."),
    _text("settings", "JSON object: seed, data sets, reference and the like."),
    _text("policy_id", "Policy that it made.", nullable=True),
    _text("error", "What went wrong.", nullable=True),
    UniqueConstraint("fit_id"),
    comment="One row a fit.",
)
