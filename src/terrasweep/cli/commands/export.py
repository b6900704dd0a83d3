"""``terrasweep export STUDY NUMBER``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    study: Annotated[str, typer.Argument(help="Name of the study, or the folder of a single trial.")],
    number: Annotated[int | None, typer.Argument(help="The trial's number; for a single trial none.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder; default: results/STUDY/exported/NUMBER.")] = None,
) -> None:
    """Write a trained trial as a plain TerraTorch configuration with its weights, and say how to use it."""
    from terrasweep.export.parent import describe, export, find_trial

    trial = find_trial(study, number)
    typer.echo(f"Exporting {trial.title} ...", err=True)
    typer.echo(describe(trial, export(trial, output)))
