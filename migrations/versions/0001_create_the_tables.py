"""Create the tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "fits",
        sa.Column("fit_key", sa.Integer(), nullable=False, comment="Key inside this file, rising with time."),
        sa.Column("fit_id", sa.Text(), nullable=False, comment="Id of the fit."),
        sa.Column("status", sa.Text(), nullable=False, comment="running, done or failed."),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="When it began, UTC."),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When it ended, UTC."),
        sa.Column(
            "settings", sa.Text(), nullable=False, comment="JSON object: seed, data sets, reference and the like."
        ),
        sa.Column("policy_id", sa.Text(), nullable=True, comment="Policy that it made."),
        sa.Column("error", sa.Text(), nullable=True, comment="What went wrong."),
        sa.PrimaryKeyConstraint("fit_key", name=op.f("pk_fits")),
        sa.UniqueConstraint("fit_id", name=op.f("uq_fits_fit_id")),
        comment="One row a fit.",
    )
    op.create_table(
        "imports",
        sa.Column("import_key", sa.Integer(), autoincrement=False, nullable=False, comment="Key inside this file."),
        sa.Column("import_id", sa.Text(), nullable=False, comment="Id of the import, as `planner logs undo` takes it."),
        sa.Column("source", sa.Text(), nullable=False, comment="File or other place that the runs came from."),
        sa.Column(
            "sha256", sa.Text(), nullable=True, comment="SHA-256 of the file's bytes; null where it was not a file."
        ),
        sa.Column("format", sa.Text(), nullable=True, comment="Format that it was read as."),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False, comment="When it was imported, UTC."),
        sa.Column("n_runs", sa.BigInteger(), nullable=False, comment="Runs that were added."),
        sa.Column("n_samples", sa.BigInteger(), nullable=False, comment="Samples that were added."),
        sa.Column(
            "n_duplicates",
            sa.BigInteger(),
            nullable=False,
            comment="Runs that were skipped, since their run_id was known.",
        ),
        sa.Column(
            "n_graded", sa.BigInteger(), nullable=False, comment="Null grades of known runs that the import filled."
        ),
        sa.Column("warnings", sa.Text(), nullable=True, comment="JSON array of what the checks at import found."),
        sa.Column(
            "score_scales",
            sa.Text(),
            nullable=True,
            comment="JSON object by verifier: how its scores were mapped into 0..1.",
        ),
        sa.PrimaryKeyConstraint("import_key", name=op.f("pk_imports")),
        sa.UniqueConstraint("import_id", name=op.f("uq_imports_import_id")),
        comment="One row an import of logs.",
    )
    op.create_table(
        "models",
        sa.Column("model_key", sa.Integer(), autoincrement=False, nullable=False, comment="Key inside this file."),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the generator or verifier."),
        sa.Column("kind", sa.Text(), nullable=False, comment="generator, orm or prm."),
        sa.Column(
            "has_card",
            sa.BigInteger(),
            nullable=False,
            comment="1 if a model card was imported, 0 if only met in a log.",
        ),
        sa.Column(
            "active_params",
            sa.Double(),
            nullable=True,
            comment="Parameters that work on a token: FLOPs are 2 x this x tokens.",
        ),
        sa.Column(
            "usd_per_million_prompt_tokens", sa.Double(), nullable=True, comment="USD for 1,000,000 prompt tokens."
        ),
        sa.Column(
            "usd_per_million_completion_tokens",
            sa.Double(),
            nullable=True,
            comment="USD for 1,000,000 completion tokens.",
        ),
        sa.Column(
            "tokens_per_second", sa.Double(), nullable=True, comment="Completion tokens a second of one request."
        ),
        sa.Column("max_concurrency", sa.BigInteger(), nullable=True, comment="Requests that run side by side."),
        sa.Column(
            "revision_context_attempts",
            sa.BigInteger(),
            nullable=True,
            comment="Earlier attempts that a reviser bears in its context.",
        ),
        sa.PrimaryKeyConstraint("model_key", name=op.f("pk_models")),
        sa.UniqueConstraint("name", name=op.f("uq_models_name")),
        comment="One row a generator or verifier: what its model card says; null is unknown.",
    )
    op.create_table(
        "policies",
        sa.Column("policy_key", sa.Integer(), nullable=False, comment="Key inside this file, rising with time."),
        sa.Column("policy_id", sa.Text(), nullable=False, comment="Id of the policy: the hash of its artifact."),
        sa.Column("artifact_path", sa.Text(), nullable=False, comment="Folder of the artifact."),
        sa.Column("status", sa.Text(), nullable=False, comment="candidate, promoted (one at most) or retired."),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was fitted, UTC."),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True, comment="When it was last promoted, UTC."),
        sa.Column("summary", sa.Text(), nullable=False, comment="JSON object: short held-out report."),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was promoted, kept as candidate or retired."),
        sa.PrimaryKeyConstraint("policy_key", name=op.f("pk_policies")),
        sa.UniqueConstraint("policy_id", name=op.f("uq_policies_policy_id")),
        comment="One row a fitted policy.",
    )
    op.create_table(
        "recommendations",
        sa.Column(
            "recommendation_key", sa.Integer(), nullable=False, comment="Key inside this file, rising with time."
        ),
        sa.Column("recommendation_id", sa.Text(), nullable=False, comment="Id of the recommendation."),
        sa.Column("prompt_id", sa.Text(), nullable=False, comment="Prompt that it was made for; it may be in no log."),
        sa.Column("policy_id", sa.Text(), nullable=False, comment="Policy that made it."),
        sa.Column(
            "propensity", sa.Double(), nullable=False, comment="Chance that the policy gave this arm to this prompt."
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was stored, UTC."),
        sa.Column(
            "body",
            sa.Text(),
            nullable=False,
            comment="The whole recommendation as JSON: budget, arm, forecast, difficulty, reason, ...",
        ),
        sa.PrimaryKeyConstraint("recommendation_key", name=op.f("pk_recommendations")),
        sa.UniqueConstraint("recommendation_id", name=op.f("uq_recommendations_recommendation_id")),
        comment="One row a recommendation that was served.",
    )
    op.create_index(op.f("ix_recommendations_prompt_id"), "recommendations", ["prompt_id"], unique=False)

    op.create_table(
        "arms",
        sa.Column("arm_key", sa.Integer(), autoincrement=False, nullable=False, comment="Key inside this file."),
        sa.Column(
            "canonical",
            sa.Text(),
            nullable=False,
            comment="Canonical JSON of the columns below, with names: equal arms are one row.",
        ),
        sa.Column("generator_key", sa.Integer(), nullable=False, comment="Generator (models)."),
        sa.Column("verifier_key", sa.Integer(), nullable=True, comment="Verifier (models), if any."),
        sa.Column(
            "search",
            sa.Text(),
            nullable=False,
            comment="sampling, cascade, session, beam_search, lookahead, rebase, tree_of_thoughts, mcts, ...",
        ),
        sa.Column(
            "selection",
            sa.Text(),
            nullable=True,
            comment="first, last, majority_vote, ...; null: samples logged, none chosen.",
        ),
        sa.Column("breadth", sa.BigInteger(), nullable=False, comment="Chains in parallel."),
        sa.Column("depth", sa.BigInteger(), nullable=False, comment="Attempts in sequence in a chain."),
        sa.Column(
            "params",
            sa.Text(),
            nullable=False,
            comment="Canonical JSON object: temperature, beam_width, stages of a cascade, ...",
        ),
        sa.ForeignKeyConstraint(["generator_key"], ["models.model_key"], name=op.f("fk_arms_generator_key_models")),
        sa.ForeignKeyConstraint(["verifier_key"], ["models.model_key"], name=op.f("fk_arms_verifier_key_models")),
        sa.PrimaryKeyConstraint("arm_key", name=op.f("pk_arms")),
        sa.UniqueConstraint("canonical", name=op.f("uq_arms_canonical")),
        comment="One row a way of making a run: generator, verifier, search, selection, size and parameters.",
    )
    op.create_table(
        "prompts",
        sa.Column("prompt_key", sa.Integer(), autoincrement=False, nullable=False, comment="Key inside this file."),
        sa.Column(
            "prompt_id", sa.Text(), nullable=False, comment="Id of the prompt as logged, else the SHA-256 of its text."
        ),
        sa.Column("text_sha256", sa.Text(), nullable=False, comment="SHA-256 of the text in UTF-8."),
        sa.Column("n_characters", sa.BigInteger(), nullable=False, comment="Length of the text in characters."),
        sa.Column(
            "text", sa.Text(), nullable=True, comment="The question; null where PLANNER_STORE_PROMPT_TEXT is off."
        ),
        sa.Column("dataset", sa.Text(), nullable=True, comment="Data set that it comes from."),
        sa.Column("reference", sa.Text(), nullable=True, comment="Gold answer."),
        sa.Column(
            "metadata", sa.Text(), nullable=True, comment="Free JSON object; scalar members may be features of a fit."
        ),
        sa.Column("import_key", sa.Integer(), nullable=True, comment="Import that brought the prompt."),
        sa.ForeignKeyConstraint(["import_key"], ["imports.import_key"], name=op.f("fk_prompts_import_key_imports")),
        sa.PrimaryKeyConstraint("prompt_key", name=op.f("pk_prompts")),
        sa.UniqueConstraint("prompt_id", name=op.f("uq_prompts_prompt_id")),
        comment="One row a prompt.",
    )
    op.create_table(
        "runs",
        sa.Column("run_key", sa.Integer(), autoincrement=False, nullable=False, comment="Key inside this file."),
        sa.Column(
            "run_id",
            sa.Text(),
            nullable=False,
            comment="Id of the run as logged, else a hash of its content: imported twice, it is one run.",
        ),
        sa.Column("prompt_key", sa.Integer(), nullable=False, comment="Prompt that was answered."),
        sa.Column("arm_key", sa.Integer(), nullable=False, comment="How it was answered."),
        sa.Column("import_key", sa.Integer(), nullable=False, comment="Import that brought the run."),
        sa.Column("n_samples", sa.BigInteger(), nullable=False, comment="Rows of it in samples."),
        sa.Column(
            "n_ungraded",
            sa.BigInteger(),
            nullable=False,
            comment="Grades that are still null: its samples', or its own.",
        ),
        sa.Column("answer", sa.Text(), nullable=True, comment="Final answer, normalised."),
        sa.Column(
            "correct", sa.Double(), nullable=True, comment="0..1; null: not graded yet, or only the samples are."
        ),
        sa.Column("grader", sa.Text(), nullable=True, comment="Who graded it, where it was graded later."),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=True, comment="Prompt tokens, counted once a sample."),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=True, comment="Completion tokens of the whole run."),
        sa.Column("verifier_calls", sa.BigInteger(), nullable=True, comment="Calls of the verifier."),
        sa.Column("verifier_tokens", sa.BigInteger(), nullable=True, comment="Tokens that the verifier read."),
        sa.Column(
            "usd", sa.Double(), nullable=True, comment="USD, if billed; else derived from model cards when needed."
        ),
        sa.Column("latency_seconds", sa.Double(), nullable=True, comment="Seconds from start to answer, if measured."),
        sa.Column("status", sa.Text(), nullable=False, comment="ok, truncated or error."),
        sa.Column("recommendation_id", sa.Text(), nullable=True, comment="Recommendation that this run carried out."),
        sa.Column(
            "propensity", sa.Double(), nullable=True, comment="Chance that the policy gave this arm to this prompt."
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="When it began, UTC."),
        sa.ForeignKeyConstraint(["arm_key"], ["arms.arm_key"], name=op.f("fk_runs_arm_key_arms")),
        sa.ForeignKeyConstraint(["import_key"], ["imports.import_key"], name=op.f("fk_runs_import_key_imports")),
        sa.ForeignKeyConstraint(["prompt_key"], ["prompts.prompt_key"], name=op.f("fk_runs_prompt_key_prompts")),
        sa.PrimaryKeyConstraint("run_key", name=op.f("pk_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_runs_run_id")),
        comment="One row a run: one search, by one generator, on one prompt. Null is unknown, never 0.",
    )
    op.create_index(op.f("ix_runs_prompt_key"), "runs", ["prompt_key"], unique=False)

    op.create_table(
        "samples",
        sa.Column("run_key", sa.Integer(), autoincrement=False, nullable=False, comment="Its run."),
        sa.Column(
            "position",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="Place in the run, as logged, from 0.",
        ),
        sa.Column("chain", sa.BigInteger(), nullable=False, comment="Chain that it ends or stands in, from 0."),
        sa.Column("attempt", sa.BigInteger(), nullable=False, comment="Attempt within the chain, from 0."),
        sa.Column("answer", sa.Text(), nullable=True, comment="Answer, normalised: equal answers are equal texts."),
        sa.Column("correct", sa.Double(), nullable=True, comment="0..1; null: not graded yet."),
        sa.Column(
            "score",
            sa.Double(),
            nullable=True,
            comment="Verifier's score in 0..1: of the last step, where steps are scored.",
        ),
        sa.Column("score_min", sa.Double(), nullable=True, comment="Least score of a step."),
        sa.Column("step_scores", sa.Text(), nullable=True, comment="JSON array of the scores of all steps."),
        sa.Column(
            "prompt_tokens",
            sa.BigInteger(),
            nullable=True,
            comment="Prompt tokens: the prompt, and a revision's whole context.",
        ),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=True, comment="Completion tokens."),
        sa.Column("verifier_tokens", sa.BigInteger(), nullable=True, comment="Tokens that the verifier read."),
        sa.Column("latency_seconds", sa.Double(), nullable=True, comment="Seconds, if measured."),
        sa.Column("status", sa.Text(), nullable=True, comment="truncated or error; null is ok."),
        sa.Column("text", sa.Text(), nullable=True, comment="Full text, if logged."),
        sa.Column("generator_key", sa.Integer(), nullable=True, comment="Generator, if not its run's (models)."),
        sa.Column("verifier_key", sa.Integer(), nullable=True, comment="Verifier, if not its run's (models)."),
        sa.Column("stage", sa.BigInteger(), nullable=True, comment="Stage of a cascade, from 0."),
        sa.ForeignKeyConstraint(["generator_key"], ["models.model_key"], name=op.f("fk_samples_generator_key_models")),
        sa.ForeignKeyConstraint(["run_key"], ["runs.run_key"], name=op.f("fk_samples_run_key_runs")),
        sa.ForeignKeyConstraint(["verifier_key"], ["models.model_key"], name=op.f("fk_samples_verifier_key_models")),
        sa.PrimaryKeyConstraint("run_key", "position", name=op.f("pk_samples")),
        comment="One row a sample: a finished candidate of a run.",
        sqlite_with_rowid=False,
    )


def downgrade():
    op.drop_table("samples")
    op.drop_index(op.f("ix_runs_prompt_key"), table_name="runs")

    op.drop_table("runs")
    op.drop_table("prompts")
    op.drop_table("arms")
    op.drop_index(op.f("ix_recommendations_prompt_id"), table_name="recommendations")

    op.drop_table("recommendations")
    op.drop_table("policies")
    op.drop_table("models")
    op.drop_table("imports")
    op.drop_table("fits")
