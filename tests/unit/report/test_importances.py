"""Importances go to the keys that decide, and a sentence says where there are none."""

from __future__ import annotations

import random

import pytest

from terrasweep.report.importances import importances
from terrasweep.report.study_outcome import summarize
from terrasweep.results.trial_result import TrialResult
from tests.unit.report import sample_study as sample
from tests.unit.report.sample_study import random_study


def test_importance_goes_to_the_key_that_decides() -> None:
    chance = random.Random(0)
    trials = [
        sample.complete(i, {"accuracy": {"a": 0.1, "b": 0.9}.get(q, 0.5) + chance.random() / 50}, q=q, **rest)
        for i in range(24)
        for q, rest in [(chance.choice("abc"), {"r": chance.choice([1, 2])} if i % 3 else {})]
    ]
    shares = importances(
        summarize(sample.record(objectives=sample.OBJECTIVES[:1], space={"q": "", "r": ""}), trials), "accuracy"
    )
    assert isinstance(shares, dict)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["q"] > 0.9
    assert set(shares) == {"q", "r"}


@pytest.mark.parametrize(
    ("trials", "sentence"),
    [
        ([sample.complete(i, {"accuracy": i / 9}, q=i) for i in range(3)], "at least 4 complete trials; there are 3"),
        ([sample.complete(i, {"accuracy": 0.5}, q=i) for i in range(9)], "same value"),
        ([sample.complete(i, {"accuracy": i / 9}, q="a") for i in range(9)], "No searched setting differs"),
        ([sample.complete(i, {"accuracy": 0.5 + 1e-17 * i}, q=i) for i in range(9)], "too close together"),
    ],
)
def test_where_nothing_can_be_said_a_sentence_says_so(trials: list[TrialResult], sentence: str) -> None:
    said = importances(summarize(sample.record(objectives=sample.OBJECTIVES[:1], space={"q": ""}), trials), "accuracy")
    assert isinstance(said, str)
    assert sentence in said


def test_importances_leave_optunas_logging_as_it_was() -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    importances(summarize(*random_study(1, 8)), "peak_memory_mib")
    assert optuna.logging.get_verbosity() == before
