"""`planner models`: what is known of generators and verifiers."""

from __future__ import annotations

from pathlib import Path

import click

from planner.cli.common import echo_json, json_option, open_store


@click.group()
def models() -> None:
    """Model cards: parameters, prices, speed."""


@models.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the models that were met in logs or have a card."""
    stored = open_store(create=False).models()
    if as_json:
        echo_json([model.card.model_dump() | {"has_card": model.has_card} for model in stored])
        return
    if not stored:
        click.echo("no models yet: import logs, or `planner models import FILE`", err=True)
        return
    _table(
        [
            ("name", "kind", "parameters", "USD/M prompt", "USD/M completion", "tokens/s", "card"),
            *(
                (
                    model.card.name,
                    model.card.kind,
                    _number(model.card.active_params),
                    _number(model.card.usd_per_million_prompt_tokens),
                    _number(model.card.usd_per_million_completion_tokens),
                    _number(model.card.tokens_per_second),
                    "yes" if model.has_card else "no",
                )
                for model in stored
            ),
        ]
    )


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_command(file: Path) -> None:
    """Import model cards from FILE (.json or .toml); what a card leaves out stays as it was known."""
    from planner.store.card_files import read_model_cards

    cards, store = read_model_cards(file), open_store()
    met = {model.card.name for model in store.models()}
    store.save_models(cards)
    click.echo(f"imported {len(cards)} model card{'' if len(cards) == 1 else 's'} from {file}")
    # A model that was met has the kind that its logs suggest, until a card says another.
    guessed = [card.name for card in cards if "kind" not in card.model_fields_set and card.name not in met]
    if guessed:
        click.echo(
            f"without a kind, taken for generators: {', '.join(guessed)}; as verifiers they would be judges, whose "
            "verdicts count as generations: give what only scores the kind orm or prm",
            err=True,
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.6g}"


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
