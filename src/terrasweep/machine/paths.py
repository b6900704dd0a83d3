"""Where things are: the project's root and the folders below it."""

from __future__ import annotations

import os
from pathlib import Path

SINGLE_TRIALS = "single"
"""Folder below ``results/`` for trials that belong to no study."""


WEIGHTS = "weights"
"""The folder with a trial's trained weights, below the trial's own. It is there as a whole or not at all."""


def home() -> Path:
    """The project's root: ``TERRASWEEP_HOME``, else the nearest folder upwards that holds a ``sweep.py``."""
    if folder := os.environ.get("TERRASWEEP_HOME"):
        return Path(folder).resolve()
    here = Path.cwd().resolve()
    for candidate in (here, *here.parents, checkout()):
        if (candidate / "sweep.py").is_file():
            return candidate
    return here


def checkout() -> Path:
    """The folder that this code was checked out to, with ``sweep.py`` and the shipped studies."""
    return Path(__file__).resolve().parents[3]


def results_folder(study: str) -> Path:
    """``results/<study>`` below the root."""
    return home() / "results" / study


def cache_folder() -> Path:
    """What is computed once and used by many trials: synthetic data, pretrained weights, band statistics."""
    return home() / "results" / ".cache"


def absolute(path: str) -> Path:
    """A path from a configuration: relative ones are relative to the root."""
    own = expanded(path)
    return own if own.is_absolute() else home() / own


def expanded(text: str) -> Path:
    """The text as a path, with ``~`` put in where it stands for a home; ``~nobody/x`` is a name like any other."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
