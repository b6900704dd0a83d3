"""Labels carry units, and small texts read well."""

from __future__ import annotations

import pytest

from terrasweep.report.labels import label, source_name, touched_text, violation_text
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from tests.unit.report.sample_study import ODD


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("throughput_samples_per_s", "throughput (samples/s)"),
        ("peak_memory_mib", "peak memory (MiB)"),
        ("step_time_p50_s", "step time p50 (s)"),
        ("train_seconds", "train time (s)"),
        ("weight_bytes", "weight (bytes)"),
        ("data_wait_share", "data wait share"),
        ("accuracy", "accuracy (mIoU)"),
        ("test_accuracy", "test accuracy (mIoU)"),
        ("IoU_water", "IoU_water"),
        (ODD, ODD),
    ],
)
def test_labels_carry_units(name: str, expected: str) -> None:
    assert label(name, "mIoU") == expected


def test_small_texts() -> None:
    assert violation_text(0.23) == "23.0 % over"
    assert violation_text(0.0123) == "1.2 % over"
    assert violation_text(11.0) == "1,100 % over"
    assert violation_text(None) == ""
    touched = TrialResult(number=0, state=State.COMPLETE, touched={"quantized": ["a"] * 16, "adapted": ["b"]})
    assert touched_text(touched) == "16 modules quantized, 1 module adapted"


@pytest.mark.parametrize(
    ("source", "name"),
    [("7", "trial 7"), ("baselines/plain", "baseline plain"), ("fields/7", "trial 7 of the study fields")],
)
def test_sources_are_named_in_words(source: str, name: str) -> None:
    assert source_name(source) == name
