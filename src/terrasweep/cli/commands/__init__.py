"""The subcommands of ``terrasweep``: one file each, whose ``command`` Typer calls by the file's name."""

from terrasweep.cli.commands import check, export, models, plan, recommend, report, test, ui

COMMANDS = (plan, check, models, report, recommend, test, export, ui)
"""In the order of ``terrasweep --help``: what is done before a sweep, then with a study after it."""
