"""The ``terrasweep`` command; its subcommands are :mod:`terrasweep.cli.commands`."""

from __future__ import annotations

import os
import sys
import traceback
from typing import NoReturn

import typer

from terrasweep.cli.commands import COMMANDS
from terrasweep.config.bad_input import (
    EXIT_BAD_INPUT,
    EXIT_NOTHING_COMPLETED,
    EXIT_STOPPED,
    describe_bad_input,
    is_bad_input,
)
from terrasweep.machine import startup
from terrasweep.machine.output import guard_output
from terrasweep.machine.tracebacks import unexpected_error
from terrasweep.results.errors import InvalidConfig, TerrasweepError
from terrasweep.results.secrets import masked

app = typer.Typer(
    help="Plans, checks, reports, recommendations, tests, exports, MLflow's UI. Sweeps run with `python sweep.py -m`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in COMMANDS:
    app.command(module.__name__.rpartition(".")[2])(module.command)


def main() -> None:
    """Run the command; bad input is one line on the standard error and exit status 2, anything else ends with 1."""
    guard_output()
    startup.name_root()
    try:
        app()
    except InvalidConfig as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except TerrasweepError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_NOTHING_COMPLETED)
    except Exception as error:  # noqa: BLE001 - the outermost door: each ends in a line
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exc()
        _tell(error)


def _tell(error: Exception) -> NoReturn:
    """Say what ended the process, and end it."""
    if is_bad_input(error):
        print("\n".join(describe_bad_input(error)), file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    if isinstance(error, OSError):
        print(masked(f"{error.filename or 'file system'}: {error.strerror or error}"), file=sys.stderr)
    else:
        print(unexpected_error(error), file=sys.stderr)
    sys.exit(EXIT_STOPPED)
