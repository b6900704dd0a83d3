"""``terrasweep report STUDY``."""

from __future__ import annotations

import typer

from terrasweep.cli.commands.arguments import Study
from terrasweep.study.folder import open_existing


def command(study: Study) -> None:
    """Write the report again from what is stored."""
    from terrasweep.report import write_report

    folder = open_existing(study)
    write_report(folder.path, folder.known, folder.results())
    typer.echo(folder.path / "report.html")
