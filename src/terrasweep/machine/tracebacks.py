"""Where the traceback of an error goes that nobody expected: into a file, so that the terminal needs one line."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from terrasweep.machine import paths
from terrasweep.machine.files import write_atomically
from terrasweep.results.errors import first_line
from terrasweep.results.secrets import masked


def unexpected_error(error: BaseException) -> str:
    """Keep an error's traceback, and say in one line where.

    Returns:
        The line. Where no file can be written, the traceback itself, too.
    """
    said = f"unexpected error: {type(error).__name__}: {first_line(error)}"
    text = masked(_report(error))
    name = f"{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}-{os.getpid()}.txt"
    for folder in (paths.home() / "results" / ".errors", Path(tempfile.gettempdir()) / "terrasweep-errors"):
        try:
            write_atomically(folder / name, text)
        except OSError:
            continue
        return f"{said}; the traceback is in {folder / name}"
    return f"{text}{said}; no file could be written for its traceback"


def _report(error: BaseException) -> str:
    command = " ".join(sys.argv)
    return f"{command}\nPython {platform.python_version()}\n\n{''.join(traceback.format_exception(error))}"
