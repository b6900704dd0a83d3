"""The memory gate: a trial that can't fit its budget by its predicted peak is not started. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from terrasweep import process
from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import write_atomically
from terrasweep.machine.hardware import effective_device
from terrasweep.measure.catalog import all_measurements
from terrasweep.measure.peak_memory import PEAK_BUILD, PEAK_MEMORY
from terrasweep.measure.predicted_memory import PREDICTED, PREDICTED_BUILD, PREDICTED_PEAK, measured_pair
from terrasweep.predict.kept_predictions import kept_prediction
from terrasweep.predict.measured_peaks import calibrations, measured_before, remember
from terrasweep.predict.prediction import Prediction
from terrasweep.process.parent import Limits
from terrasweep.results.errors import PredictedOutOfMemory
from terrasweep.results.gate import Gate
from terrasweep.results.measurements import Measured
from terrasweep.results.peak_calibration import Calibration, calibrate
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded, significant
from terrasweep.trial.keys import Keys

_CHILD = "terrasweep.predict.in_child:predict"
_PATIENCE_S = 600.0
"""A trace takes seconds; one that never ends must not hold up a study."""
_HOST = "host memory"
_MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says of a trial; as it stands here, of one that it does not judge."""

    gate: Gate | None = None
    predicted: Mapping[str, Measured] = field(default_factory=dict)
    """The predicted peaks, as measurements."""
    error: PredictedOutOfMemory | None = None
    """Why it is not started; None where it is."""

    def enforce(self) -> None:
        """Let the trial start.

        Raises:
            PredictedOutOfMemory: It is not started.
        """
        if self.error is not None:
            raise self.error


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A peak beside the limit that it has to stay below, in MiB."""

    peak: str
    """What it is called as a measurement."""
    key: str
    """Of the limit."""
    limit: float
    predicted: float
    line: Calibration
    measured: float | None = None
    """What the same trial needed when it ran before; None where it has not."""

    @property
    def low(self) -> float:
        low = self.line.interval(self.predicted)[0]
        return low if self.measured is None else min(low, self.measured)

    def __str__(self) -> str:
        low, high = self.line.interval(self.predicted)
        trials = f"{self.line.pairs} measured trials" if self.line.pairs else "defaults, before any measured trial"
        return (
            f"{self.peak}: predicted {rounded(self.predicted)} MiB, "
            f"expected {rounded(self.line.expected(self.predicted))} ({rounded(low)} to {rounded(high)}, by {trials}), "
            f"{self.key}={self.limit / _MIB_PER_GIB:g}"
        )


def judge(config: TrialConfig, keys: Keys, log: Path) -> Verdict:
    """Say by its calibrated prediction whether a trial is started.

    A prediction that can't be made stops no trial: the log says why there is none.

    Args:
        config: With what its data tell.
        keys: Its own.
        log: Its log, which tells what was predicted.
    """
    if not _is_asked(config):
        return Verdict()
    device = effective_device(config.train.device)
    prediction, why_not = _predicted(config, device, log)
    if prediction is None:
        _tell(log, [f"the peak memory can't be predicted, and the trial starts all the same: {why_not}"])
        return Verdict()
    bounds = list(_bounds(config, prediction, device, keys))
    worst = max(bounds, key=lambda bound: bound.low / bound.limit)
    gate = Gate.STARTED if worst.low <= worst.limit else Gate.VERIFIED if _is_drawn(config, keys) else Gate.SKIPPED
    _tell(log, [*map(str, bounds), f"by its predicted memory it is {_SAID[gate]}"])
    return Verdict(
        gate=gate,
        predicted={
            PREDICTED_PEAK.name: prediction.peak_memory_mib,
            PREDICTED_BUILD.name: prediction.peak_build_mib,
        },
        error=_refusal(worst) if gate is Gate.SKIPPED else None,
    )


_SAID = {
    Gate.STARTED: "started: it may fit",
    Gate.SKIPPED: "not started: it can't fit",
    Gate.VERIFIED: "started to be verified (budget.gate_verify), though it can't fit",
}


def with_verdict(result: TrialResult, verdict: Verdict) -> TrialResult:
    """A trial's result with what was predicted of it."""
    if verdict.gate is None:
        return result
    measurements = all_measurements({**result.measurements, **verdict.predicted})
    return replace(result, measurements=measurements, gate=str(verdict.gate))


def learn(config: TrialConfig, result: TrialResult) -> None:
    """Keep what a trial has measured beside its prediction, so that the next ones are judged by it.

    Args:
        config: Of the trial.
        result: Its own, with the verdict.
    """
    pairs = {p.predicts: pair for p in PREDICTED if (pair := measured_pair(result, p)) is not None}
    if pairs:
        remember(effective_device(config.train.device), result.cost_key, pairs)


def _is_asked(config: TrialConfig) -> bool:
    budget = config.budget
    is_limited = budget.memory_gib is not None or budget.host_memory_gib is not None
    return budget.gate and is_limited and not config.probe.alone


def _predicted(config: TrialConfig, device: str, log: Path) -> tuple[Prediction | None, str]:
    """The prediction, or why there is none."""
    if config.offload.name in ZERO:
        return None, f"offload={config.offload.name}: what DeepSpeed holds was compared with too few peaks"
    if (known := kept_prediction(config, device)) is not None:
        return known, ""
    arguments = {"configs": [config], "device": device}
    outcome = process.run(_CHILD, arguments, log, Limits(timeout_s=_PATIENCE_S))
    made: Prediction | None = outcome.reported.get("predictions", {}).get(0)
    return made, str(outcome.reported.get("refused", {}).get(0) or outcome.error)


def _bounds(config: TrialConfig, prediction: Prediction, device: str, keys: Keys) -> Iterator[_Bound]:
    """Each peak that a limit is held against.

    What ran before and fitted is never above a limit, wherever the line has moved meanwhile: it may be trained again
    with another seed.

    The growth that ``budget.host_memory_gib`` limits is no less than the peaks of a trial on a CPU. Of one on a GPU it
    is no less than its tensors on the host, of which nothing is measured: there the defaults hold for good.
    """
    lines = calibrations(device, (PEAK_MEMORY.name, PEAK_BUILD.name))
    before = measured_before(device, keys.cost)
    peaks = {PEAK_MEMORY.name: prediction.peak_memory_mib, PEAK_BUILD.name: prediction.peak_build_mib}
    on_host = {_HOST: prediction.peak_host_mib} if device == "cuda" else peaks
    budget = config.budget
    for key, limit, held in (
        ("budget.memory_gib", budget.memory_gib, peaks),
        ("budget.host_memory_gib", budget.host_memory_gib, on_host),
    ):
        if limit is None:
            continue
        for peak, predicted in held.items():
            line = lines.get(peak) or calibrate([], device)
            measured = before[peak].measured if peak in before else None
            limit_mib = limit * _MIB_PER_GIB
            yield _Bound(peak=peak, key=key, limit=limit_mib, predicted=predicted, line=line, measured=measured)


def _is_drawn(config: TrialConfig, keys: Keys) -> bool:
    """Whether a trial that can't fit is of the share that is run all the same; the same at each start."""
    drawn = hashlib.sha256(f"{config.study.seed} gate {keys.cost}".encode()).digest()
    return int.from_bytes(drawn[:8]) < config.budget.gate_verify * 2**64


def _refusal(bound: _Bound) -> PredictedOutOfMemory:
    expected = max(bound.low, bound.line.expected(bound.predicted))
    expected_gib, low_gib = (significant(peak / _MIB_PER_GIB, 3) for peak in (expected, bound.low))
    return PredictedOutOfMemory(
        f"{bound.key}={bound.limit / _MIB_PER_GIB:g}: {bound.peak} is predicted as {expected_gib} GiB, "
        f"{low_gib} at least, so that the trial was not started; use a smaller batch or "
        "checkpointing=blocks, or budget.gate=off to try it",
        violation=expected / bound.limit - 1,
    )


def _tell(log: Path, lines: list[str]) -> None:
    """Add lines to a trial's log, before its process does."""
    before = log.read_text(errors="replace") if log.is_file() else ""
    write_atomically(log, before + "".join(f"{line}\n" for line in lines))
