"""What is kept of measured trials for all studies on the same kind of device, by their cost keys. Imports no torch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from terrasweep.machine.files import write_atomically
from terrasweep.machine.locks import locked

T = TypeVar("T")

MOST_KEPT = 500
"""Trials, the latest ones."""


def read_trials(file: Path, read: Callable[[Any], T]) -> dict[str, T]:
    """What is kept, by cost key; nothing where there is no file, or none that can be read.

    Args:
        file: Where.
        read: Makes of a trial's plain values what they stand for; it may raise TypeError, ValueError, KeyError or
            AttributeError.
    """
    with contextlib.suppress(OSError, TypeError, ValueError, AttributeError, KeyError):
        return {str(key): read(values) for key, values in json.loads(file.read_text()).items()}
    return {}


def keep_trial(file: Path, cost_key: str, values: Any, read: Callable[[Any], object], *, most: int = MOST_KEPT) -> None:
    """Keep a trial's plain values; what was kept of it goes, and on a disk that can't be written nothing is kept.

    Args:
        file: Where; one that can't be read is begun anew.
        cost_key: Of the trial.
        values: As JSON has them.
        read: As of :func:`read_trials`.
        most: How many trials are kept.
    """
    with contextlib.suppress(OSError), locked(file.with_suffix(".lock")):
        stored = read_trials(file, lambda plain: plain) if read_trials(file, read) else {}
        stored.pop(cost_key, None)
        stored[cost_key] = values
        write_atomically(file, json.dumps(dict(list(stored.items())[-most:]), indent=0) + "\n")
