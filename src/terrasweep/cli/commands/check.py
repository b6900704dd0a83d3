"""``terrasweep check key=value ...``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from terrasweep.cli.commands.arguments import Overrides
from terrasweep.config.bad_input import EXIT_BAD_INPUT


def command(
    overrides: Overrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print all numbers and findings as JSON.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write a page to look at: samples, histograms, a map.")] = False,
    output: Annotated[Path, typer.Option(help="The page that --html writes.")] = Path("data_check.html"),
) -> None:
    """Check a data set as a sweep does before it starts: splits, images, labels. Exits 2 where it finds an error."""
    from terrasweep.cli.check import check
    from terrasweep.cli.check_tables import show

    checked = check(overrides or [])
    if json:
        typer.echo(dumps(checked.as_json(), indent=2))
    else:
        show(checked.as_json())
    if html:
        checked.write_page(output)
        typer.echo(f"Page: {output.absolute()}", err=json)
    if checked.has_errors:
        raise typer.Exit(EXIT_BAD_INPUT)
