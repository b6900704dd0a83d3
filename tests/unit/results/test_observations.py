"""What counts as a measurement of the same thing, and how far each may be off."""

from __future__ import annotations

import math
from typing import Any

import pytest

from terrasweep.results.observations import Observation, cost_observations, finite, quality_observations
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

SPEED = "throughput_samples_per_s"
MEMORY = "peak_memory_mib"
WAITED = {
    "disturbed": "processors",
    "processor_wait_share": 0.4,
    "steal_share": 0.1,
    "throughput_median_samples_per_s": 80.0,
}


def trial(number: int | None, speed: float | None = 40.0, **changes: Any) -> TrialResult:
    measured = {"accuracy": 0.5, SPEED: speed, MEMORY: 900.0, **changes.pop("measured", {})}
    keys = {"quality_key": f"q{number}", "cost_key": f"c{number}"}
    return TrialResult(number=number, state=State.COMPLETE, **{"measurements": measured, **keys, **changes})


@pytest.mark.parametrize(
    ("name", "measured", "expected"),
    [
        (SPEED, WAITED, 2.0 / 0.5),
        (MEMORY, WAITED, 1.0),
        (SPEED, {**WAITED, "processor_wait_share": 0.95}, math.inf),
        (SPEED, {"disturbed": "memory"}, 1.0),
        (SPEED, {**WAITED, "disturbed": ""}, 1.0),
    ],
)
def test_a_speed_was_held_back_by_what_its_threads_waited_and_its_steps_stalled(
    name: str, measured: dict[str, Any], expected: float
) -> None:
    """Not a memory, nor what nothing disturbed; and by nobody knows how much where only the board was short."""
    ((found,),) = cost_observations([trial(0, measured=measured)], name).values()
    assert found.held_back == pytest.approx(expected)


def test_a_reused_number_is_no_second_measurement_and_a_probe_is_one() -> None:
    trials = [trial(3, cost_key="c", cost_from="1"), trial(1, cost_key="c", probes=[{SPEED: 50.0}]), trial(2)]
    assert cost_observations(trials, SPEED) == {"c": [Observation(40.0), Observation(50.0)], "c2": [Observation(40.0)]}


def test_trials_with_one_quality_key_are_one_observation_and_each_other_seed_one_more() -> None:
    trials = [trial(0, quality_key="q"), trial(1, quality_key="q", measured={"accuracy": 0.7})]
    found = quality_observations(trials, "accuracy", {1: {5: {"accuracy": 0.9}, 6: {"accuracy": math.nan}}})
    assert [observation.value for observation in found["q"]] == [pytest.approx(0.6), 0.9]


@pytest.mark.parametrize("value", [None, "text", math.nan, math.inf])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert finite(value) is None
    assert finite(3) == 3.0
