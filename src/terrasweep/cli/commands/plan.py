"""``terrasweep plan key=value ...``."""

from __future__ import annotations

from json import dumps
from typing import Annotated

import typer

from terrasweep.cli.commands.arguments import Overrides


def command(
    overrides: Overrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print all numbers as JSON.")] = False,
) -> None:
    """Print what a configuration needs in memory, with DeepSpeed's ZeRO and without; trains nothing."""
    from terrasweep.cli.plan import as_json, plan
    from terrasweep.cli.plan_tables import show

    config, found = plan(overrides or [])
    if json:
        typer.echo(dumps(as_json(config, found), indent=2))
    else:
        show(config, found)
