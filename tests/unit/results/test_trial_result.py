"""A result goes to JSON and back unchanged; a file is written whole or not at all."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.confusion import Confusion
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import SCHEMA_VERSION, TrialResult

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.none()


@given(
    accuracy=numbers,
    throughput=numbers,
    reason=st.sampled_from([None, *Reason]),
    message=st.text(),
    curve=st.lists(st.tuples(st.integers(0, 10**6), st.floats(allow_nan=False, allow_infinity=False))),
    searched=st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | st.integers() | st.text()),
)
def test_a_result_goes_to_json_and_back_unchanged(accuracy, throughput, reason, message, curve, searched):
    result = TrialResult(
        number=3,
        state=reason.state if reason else State.COMPLETE,
        reason=reason,
        message=message,
        measurements=Measurements(accuracy=accuracy, throughput_samples_per_s=throughput),
        curves={"train_loss": curve},
        searched=searched,
    )
    assert TrialResult.from_json(result.to_json()) == result


def test_a_value_that_is_not_finite_is_refused_and_a_newer_schema_too():
    result = TrialResult(number=0, state=State.COMPLETE)
    with pytest.raises(ValueError, match="Out of range"):
        dataclasses.replace(result, measurements=Measurements(accuracy=float("nan"))).to_json()
    newer = json.loads(result.to_json()) | {"schema_version": SCHEMA_VERSION + 1}
    with pytest.raises(ValueError, match="newer"):
        TrialResult.from_json(json.dumps(newer))


OTHER_VERSIONS = [
    pytest.param({"accuracy": 0.5, "peak_memory_mib": None}, id="of an older version, with fewer"),
    pytest.param({"accuracy": 0.5, "peak_memory_mib": None, "carbon_g": 1.5}, id="of a newer version, with more"),
]


@pytest.mark.parametrize("measurements", OTHER_VERSIONS)
def test_a_result_with_other_measurements_is_read_and_kept(measurements):
    stored = json.loads(TrialResult(number=0, state=State.COMPLETE).to_json()) | {"measurements": measurements}
    result = TrialResult.from_json(json.dumps(stored))
    assert result.value("accuracy") == 0.5
    assert result.value("peak_memory_mib") is result.value("flops_per_step") is result.accuracy_name is None
    assert result.value("carbon_g") == measurements.get("carbon_g")
    assert json.loads(result.to_json()) == stored


def test_objectives_are_those_of_complete_trials_alone():
    measured = Measurements(accuracy=0.5, peak_memory_mib=None)
    complete = TrialResult(number=0, state=State.COMPLETE, measurements=measured)
    assert complete.objective_values(["accuracy"]) == [0.5]
    assert complete.objective_values(["accuracy", "peak_memory_mib"]) is None
    assert dataclasses.replace(complete, state=State.INFEASIBLE).objective_values(["accuracy"]) is None


def test_a_confusion_is_stored_as_a_table_with_a_row_to_a_line_and_comes_back():
    confusion = Confusion(task="segmentation", classes=["a [\n  1,\n  2\n]", "b"], counts=[[12, 0], [3, 40]])
    result = TrialResult(number=0, state=State.COMPLETE, confusion=confusion, message="[\n  1\n]")
    text = result.to_json()
    assert "      [12, 0],\n      [3, 40]\n" in text
    assert TrialResult.from_json(text) == result
    assert json.loads(text)["confusion"] == dataclasses.asdict(confusion)


def test_a_result_of_before_there_was_a_confusion_is_read():
    stored = json.loads(TrialResult(number=0, state=State.COMPLETE).to_json())
    del stored["confusion"]
    assert TrialResult.from_json(json.dumps(stored)).confusion is None
