"""``terrasweep plan key=value ...``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

Arguments = Annotated[
    list[str] | None,
    typer.Argument(help="key=value, as for sweep.py, searched keys too; or a study's name.", show_default=False),
]


def command(
    overrides: Arguments = None,
    json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
    card: Annotated[str, typer.Option(help="Cards to fit, as rtx4090,a100-40,h100.", show_default=False)] = "",
    memory_gib: Annotated[str, typer.Option(help="GiB to fit, as 12,24.", show_default=False)] = "",
    csv: Annotated[Path | None, typer.Option(help="Write each configuration to this file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a heat map to this file.")] = None,
    space: Annotated[
        bool | None,
        typer.Option(
            help="Each configuration of the search space, or none; default: where a sweep, space or study is named."
        ),
    ] = None,
) -> None:
    """Print what a configuration or a search space needs in memory, and which cards it fits; trains nothing."""
    from terrasweep import process
    from terrasweep.cli import plan_space, plan_space_tables
    from terrasweep.cli.plan import as_json, plan
    from terrasweep.cli.plan_tables import show
    from terrasweep.predict.cards import limits

    given, words = limits(card, memory_gib), overrides or []
    is_space = plan_space.is_about_a_space(words) if space is None else space
    if is_space:
        process.warm_up()  # It imports for some seconds, beside the composing of a whole space.
    found_space = plan_space.plan_space(words, given) if is_space else None
    config, found = plan(plan_space.fixed_overrides(words), None if is_space else "spawn")
    by_card = plan_space.plan_cards(config, given) if found_space is None and (given or csv or html) else None
    told = found_space or by_card
    plan_space_tables.write(told, csv, html)
    if json:
        numbers = as_json(config, found)
        typer.echo(dumps(numbers | ({} if told is None else {"fits": plan_space_tables.as_json(told)}), indent=2))
        return
    show(config, found)
    if found_space is not None:
        plan_space_tables.show_space(found_space)
    elif by_card is not None:
        plan_space_tables.show_cards(by_card)
