"""What trials of a study will need and take, by traces of their steps. Imports no torch: a child makes the traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from pathlib import Path

from terrasweep import process
from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.predict.kept_predictions import kept_prediction
from terrasweep.predict.measured_peaks import calibrations
from terrasweep.predict.measured_speeds import speed_calibration
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.step_work import step_work
from terrasweep.process.parent import Limits
from terrasweep.results.speed_calibration import StepWork

_CHILD = "terrasweep.predict.in_child:predict"
_UNDER_ZERO = 0.2
"""Relative error that is added where DeepSpeed holds the memory: it was compared with few measured peaks."""


@dataclass(frozen=True, kw_only=True)
class TracedCost:
    """What a trace says of a trial, not calibrated."""

    peak_mib: float
    work: StepWork
    """Of a step."""
    doubt: float = 0.0
    """Relative error of the peak beside the calibration's."""


@dataclass(frozen=True, kw_only=True)
class ExpectedCost:
    """What a trial will most likely need and take, with one standard deviation as a share of it."""

    peak_mib: float
    peak_error: float
    step_seconds: float
    step_error: float


class CostCalibration:
    """What trials on this machine have measured beside what was predicted, as it is known at one moment."""

    def __init__(self, device: str) -> None:
        """Args: ``device``: ``cpu`` or ``cuda``."""
        self._peak = calibrations(device, (PEAK_MEMORY.name,))[PEAK_MEMORY.name]
        self._speed = speed_calibration(device)

    def expected(self, cost: TracedCost) -> ExpectedCost:
        """What follows from a trace."""
        return ExpectedCost(
            peak_mib=max(1.0, self._peak.expected(cost.peak_mib)),
            peak_error=hypot(self._peak.relative_error(cost.peak_mib), cost.doubt),
            step_seconds=self._speed.expected(cost.work),
            step_error=self._speed.relative_error(cost.work),
        )


def with_data_seen(config: TrialConfig) -> TrialConfig | None:
    """The configuration with what its data tell; None where nobody has looked at them yet."""
    from terrasweep.data import stored

    config = stored.located(config)
    if stored.needs_survey(config) and not stored.survey_file(config).is_file():
        return None
    return stored.complete(config)


def kept_cost(config: TrialConfig) -> TracedCost | None:
    """What is known of a trial without a trace.

    Args:
        config: With what its data tell.
    """
    device = effective_device(config.train.device)
    known = kept_prediction(config, device)
    return None if known is None else _cost(known, config, device)


def trace_costs(configs: Sequence[TrialConfig], log: Path, timeout_s: float) -> list[TracedCost | None]:
    """Trace trials in a child, and keep what comes out; None for what can't be traced, or not in time.

    Args:
        configs: With what their data tell, all for one device.
        log: Takes what the libraries print.
        timeout_s: For all of them.
    """
    device = effective_device(configs[0].train.device)
    arguments = {"configs": list(configs), "device": device}
    outcome = process.run(_CHILD, arguments, log, Limits(timeout_s=timeout_s))
    made: dict[int, Prediction] = outcome.reported.get("predictions", {})
    return [_cost(made[place], config, device) if place in made else None for place, config in enumerate(configs)]


def _cost(prediction: Prediction, config: TrialConfig, device: str) -> TracedCost | None:
    work = step_work(prediction.step, config, device)
    if work is None:
        return None
    doubt = _UNDER_ZERO if config.offload.name in ZERO else 0.0
    return TracedCost(peak_mib=prediction.peak_memory_mib, work=work, doubt=doubt)
