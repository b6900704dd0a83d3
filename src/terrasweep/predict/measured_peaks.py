"""Predicted and measured peaks of trials, kept for all studies on the same kind of device. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from terrasweep.machine.hardware import gpu_names
from terrasweep.machine.paths import cache_folder
from terrasweep.predict.kept_measurements import MOST_KEPT, keep_trial, read_trials
from terrasweep.predict.kept_predictions import code_and_libraries
from terrasweep.results.peak_calibration import Calibration, Pair, calibrate

_KEPT = MOST_KEPT

Stored = dict[str, dict[str, Pair]]
"""A trial's cost key to a measurement's name to the pair of its peak."""


def calibrations(device: str, names: tuple[str, ...]) -> dict[str, Calibration]:
    """The line of each peak, by what it is called as a measurement.

    Args:
        device: ``cpu`` or ``cuda``.
        names: Of the measurements.
    """
    stored = _read(_file(device))
    return {name: calibrate([trial[name] for trial in stored.values() if name in trial], device) for name in names}


def measured_before(device: str, cost_key: str) -> dict[str, Pair]:
    """The pairs of a trial that was measured before, by the measurements' names; none of one that was not.

    Args:
        device: ``cpu`` or ``cuda``.
        cost_key: Of the trial.
    """
    return _read(_file(device)).get(cost_key, {})


def remember(device: str, cost_key: str, pairs: Mapping[str, Pair]) -> None:
    """Keep what was measured of a trial beside its prediction; on a disk that can't be written it is not kept.

    Args:
        device: ``cpu`` or ``cuda``.
        cost_key: Of the trial: what is measured again takes the place of what was.
        pairs: By the measurements' names.
    """
    keep_trial(_file(device), cost_key, {name: list(pair) for name, pair in pairs.items()}, _pairs, most=_KEPT)


def _read(file: Path) -> Stored:
    """What is kept; nothing where there is no file, or none that can be read."""
    return read_trials(file, _pairs)


def _pairs(trial: Mapping[str, list[float]]) -> dict[str, Pair]:
    return {str(name): Pair(*map(float, Pair(*pair))) for name, pair in trial.items()}


def _file(device: str) -> Path:
    """Named by the kind of device, and by the code and the libraries that the predictions are of."""
    kind = ", ".join(gpu_names()[:1]) if device == "cuda" else device
    of = json.dumps({"kind": kind, **code_and_libraries()}, sort_keys=True)
    return cache_folder() / "measured_peaks" / f"{device}-{hashlib.sha256(of.encode()).hexdigest()[:12]}.json"
