"""What the report says of trials that were not trained, and of those that were trained again to be sure."""

from __future__ import annotations

import dataclasses

import pytest

from terrasweep.report.reuse_note import reuse_note
from terrasweep.report.study_outcome import summarize
from tests.unit.report import sample_study as sample

VALUES = {"throughput_samples_per_s": 10.0, "peak_memory_mib": 100.0}


def note(*changes: dict[str, object]) -> str:
    trials = []
    for number, change in enumerate(changes):
        accuracy = change.pop("accuracy", 0.5)
        trial = sample.complete(number, VALUES | {"accuracy": accuracy})
        trials.append(dataclasses.replace(trial, **change))  # type: ignore[arg-type]
    return reuse_note(summarize(sample.record(), trials))


def test_of_trials_that_were_all_trained_nothing_is_said() -> None:
    assert note({}, {}) == ""


def test_what_was_known_is_counted() -> None:
    said = note({"probes": [VALUES]}, {"accuracy_from": "0"}, {"accuracy_from": "0", "cost_from": "1"}, {})
    assert said == (
        "Of 4 trials: 1 trial only probed, since the accuracy was known, 1 trial answered without being run, "
        "1 probe of the front after the search."
    )


@pytest.mark.parametrize(("again", "expected"), [(0.5, "the same to the last digit"), (0.48, "apart by 0.02 at most")])
def test_a_known_accuracy_that_was_trained_again_is_compared(again: float, expected: str) -> None:
    said = note({}, {"verifies": "0", "accuracy": again})
    assert said.startswith(f"1 of the known accuracies trained again: {expected}")
    if again != 0.5:
        assert said.endswith("(trial 1 and trial 0).")
