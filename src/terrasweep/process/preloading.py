"""What the forkserver imports first: the libraries that trials need, and why where that fails.

Python passes over a module that can't be imported ahead, without a word.
"""

from __future__ import annotations

import importlib

from terrasweep.results.errors import first_line

PRELOADED = "terrasweep.trial.preload"


def import_ahead() -> str:
    """Import what trials need.

    Returns:
        Why that failed; empty where it did not.
    """
    try:
        importlib.import_module(PRELOADED)
    except Exception as error:  # noqa: BLE001 - whatever a library does while it is imported
        return f"{type(error).__name__}: {first_line(error)}"
    return ""


FAILURE = import_ahead()
"""Of this process's import; a child that is forked from it has the same."""
