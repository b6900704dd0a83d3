"""How fast a trial is expected to be before it runs, where its steps were counted anyway. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import effective_device
from terrasweep.measure.catalog import all_measurements
from terrasweep.measure.predicted_speed import PREDICTED_THROUGHPUT, ROOFLINE_THROUGHPUT, throughput_pair
from terrasweep.predict.kept_predictions import kept_prediction
from terrasweep.predict.measured_speeds import remember_speed, speed_calibration
from terrasweep.predict.step_work import step_work
from terrasweep.results.measurements import Measured
from terrasweep.results.speed_calibration import StepWork, Timed
from terrasweep.results.trial_result import TrialResult


@dataclass(frozen=True, kw_only=True)
class ExpectedSpeed:
    """What is said of a trial's speed; as it stands here, of one that nothing is known of."""

    work: StepWork | None = None
    """Of a step."""
    predicted: Mapping[str, Measured] = field(default_factory=dict)
    """Throughputs, as measurements."""


def expect_speed(config: TrialConfig) -> ExpectedSpeed:
    """Say how fast a trial will be; nothing is traced for it.

    Args:
        config: With what its data tell.
    """
    device = effective_device(config.train.device)
    known = None if config.probe.alone else kept_prediction(config, device)
    work = None if known is None else step_work(known.step, config, device)
    if work is None:
        return ExpectedSpeed()
    samples, calibration = config.train.batch_size, speed_calibration(device)
    predicted: dict[str, Measured] = {ROOFLINE_THROUGHPUT.name: samples / work.seconds}
    if calibration.trials:
        predicted[PREDICTED_THROUGHPUT.name] = samples / calibration.expected(work)
    return ExpectedSpeed(work=work, predicted=predicted)


def with_expected_speed(result: TrialResult, expected: ExpectedSpeed) -> TrialResult:
    """A trial's result with what was expected of its speed."""
    if not expected.predicted:
        return result
    return replace(result, measurements=all_measurements({**result.measurements, **expected.predicted}))


def learn_speed(config: TrialConfig, result: TrialResult, expected: ExpectedSpeed) -> None:
    """Keep what a trial's step took beside its work, so that the next ones are expected by it.

    Args:
        config: Of the trial.
        result: Its own, with what was expected.
        expected: The same.
    """
    pair = throughput_pair(result, ROOFLINE_THROUGHPUT)
    if expected.work is not None and pair is not None:
        timed = Timed(expected.work, config.train.batch_size / pair.measured)
        remember_speed(effective_device(config.train.device), result.cost_key, timed)
