"""What a folder knows of a trial is told to a new storage under the trial's number; test_reconcile.py has the whole."""

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_restore import make_orphan, restore, restore_lost
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import take_orphans

SPACE = {"x": CategoricalDistribution(["a", "b"]), "n": IntDistribution(1, 8)}


@pytest.fixture
def stored(tmp_path):
    objectives = [Objective(name="accuracy", direction="maximize")]
    return StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", objectives, tmp_path)


@pytest.mark.parametrize(
    ("searched", "kept"),
    [
        ({"x": "a", "n": 3}, {"x": "a", "n": 3}),
        ({"x": "c", "n": 3}, {"n": 3}),  # No choice any more.
        ({"x": "a", "n": 9, "y": 1}, {"x": "a"}),
        ({"n": "three"}, {}),
    ],
)
def test_values_that_fit_their_distribution_are_kept(stored, searched, kept):
    result = TrialResult(number=0, state=State.COMPLETE, measurements={"accuracy": 0.5}, searched=searched)
    restore(stored, result, SPACE)
    (trial,) = stored.trials()
    assert (trial.state, trial.values, trial.params) == (TrialState.COMPLETE, [0.5], kept)
    assert trial.user_attrs["restored"]


def test_what_pruners_compare_is_told_again(stored):
    """The curve by its validations, of which the last one is the evaluation at the end, too."""
    curve = [(3, 0.2), (6, 0.4), (6, 0.4)]
    for number, reason in enumerate([None, Reason.PRUNER]):
        state = State.COMPLETE if reason is None else reason.state
        measured = {"accuracy": 0.4 if reason is None else None}
        curves = {"val_accuracy": curve, "val_loss": [(3, 9.0)]}
        restore(
            stored, TrialResult(number=number, state=state, reason=reason, measurements=measured, curves=curves), {}
        )
    complete, pruned = stored.trials()
    assert complete.intermediate_values == pruned.intermediate_values == {0: 0.2, 1: 0.4}
    assert (complete.state, pruned.state) == (TrialState.COMPLETE, TrialState.PRUNED)


def test_numbers_nobody_knows_do_not_count_and_one_that_ran_is_an_orphan(stored):
    restore_lost(stored, ran=False)
    restore_lost(stored, ran=True)
    restore(stored, TrialResult(number=2, state=State.FAILED, reason=Reason.CRASHED), SPACE)
    stored.study.enqueue_trial({"x": "a"})
    assert stored.remaining(4) == 2
    make_orphan(stored, 3)
    assert [trial.number for trial in take_orphans(stored)] == [1, 3]
