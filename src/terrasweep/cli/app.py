"""The ``terrasweep`` command; its subcommands are :mod:`terrasweep.cli.commands`."""

from __future__ import annotations

import sys

import typer

from terrasweep.cli.commands import COMMANDS
from terrasweep.config.bad_input import EXIT_BAD_INPUT, EXIT_NOTHING_COMPLETED
from terrasweep.machine import startup
from terrasweep.results.errors import InvalidConfig, TerrasweepError

app = typer.Typer(
    help="Plans, data checks, reports, recommendations, exports, the MLflow UI. Sweeps run with `python sweep.py -m`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in COMMANDS:
    app.command(module.__name__.rpartition(".")[2])(module.command)


def main() -> None:
    """Run the command; bad input is one line on the standard error and exit status 2."""
    startup.name_root()
    try:
        app()
    except InvalidConfig as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except TerrasweepError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_NOTHING_COMPLETED)
    except KeyboardInterrupt:
        sys.exit(0)
