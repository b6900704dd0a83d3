"""What is fixed at a study's start goes to its file and back unchanged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.results.study_record import Objective, StudyRecord


def record(**changes):
    fixed = StudyRecord(
        name="mine",
        n_trials=3,
        objectives=[Objective(name="accuracy", direction="maximize"), Objective(name="x", direction="minimize")],
        space={"tuning.rank": "choice(1, 2)"},
        overrides=["a=1"],
        sampler="TPESampler",
        seed=0,
        storage="optuna.db",
        tracking_uri="sqlite:///mlflow.db",
        environment={"torch": "2"},
        started="2026-05-04T09:12:31+00:00",
    )
    return replace(fixed, **changes)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.dictionaries(st.text(), st.tuples(FINITE, FINITE)),
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(FINITE)),
)
def test_a_record_goes_to_text_and_back_unchanged(reference, settings):
    """Unchanged: a study is written anew, and its trials compared, where its record differs from the stored one."""
    made = record(reference=reference, settings=settings, data={"warnings": ["ä"]})
    assert StudyRecord.from_json(made.to_json()) == made


def test_the_direction_decides_what_is_better():
    assert [objective.maximize for objective in record().objectives] == [True, False]


def test_a_number_that_is_not_finite_is_refused_before_it_is_stored():
    with pytest.raises(ValueError, match="Out of range"):
        record(reference={"accuracy": (0.0, float("inf"))}).to_json()
