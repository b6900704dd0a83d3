"""What steps would take by their work and what they took, kept for all studies on the same device. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from terrasweep.machine.paths import cache_folder
from terrasweep.predict.kept_measurements import keep_trial, read_trials
from terrasweep.predict.kept_predictions import code_and_libraries
from terrasweep.predict.step_work import device_kind
from terrasweep.results.speed_calibration import SpeedCalibration, StepWork, Timed, calibrate


def speed_calibration(device: str) -> SpeedCalibration:
    """By how much steps are slower on this machine's device than their work says.

    Args:
        device: ``cpu`` or ``cuda``.
    """
    return calibrate(list(read_trials(_file(device), _timed).values()), device)


def remember_speed(device: str, cost_key: str, timed: Timed) -> None:
    """Keep what a trial's step took; on a disk that can't be written it is not kept.

    Args:
        device: ``cpu`` or ``cuda``.
        cost_key: Of the trial: what is measured again takes the place of what was.
        timed: Its work and its seconds.
    """
    keep_trial(_file(device), cost_key, {**asdict(timed.work), "seconds": timed.seconds}, _timed)


def _timed(plain: dict[str, Any]) -> Timed:
    work = StepWork(
        compute_s=float(plain["compute_s"]),
        memory_s=float(plain["memory_s"]),
        launch_s=float(plain["launch_s"]),
        traits=tuple(map(str, plain["traits"])),
    )
    seconds = float(plain["seconds"])
    if not min(seconds, work.seconds) > 0:
        raise ValueError("no step takes no time")
    return Timed(work, seconds)


def _file(device: str) -> Path:
    """Named by the device, and by the code and the libraries that count what a step computes."""
    of = json.dumps({"device": device_kind(device), **code_and_libraries()}, sort_keys=True)
    return cache_folder() / "measured_speeds" / f"{device}-{hashlib.sha256(of.encode()).hexdigest()[:12]}.json"
