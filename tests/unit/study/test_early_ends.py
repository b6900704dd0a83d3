"""The sweep's side: what Optuna is told of a running trial's curve, and what the trial hears."""

import dataclasses
import threading

import optuna
import pytest
from optuna.trial import TrialState

from terrasweep.results.optimistic_bound import LEAST_CURVES
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import early_ends as module
from terrasweep.study.early_ends import EarlyEnds, by_domination, by_pruner, early_ends
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.samplers import GridSize
from terrasweep.trial.validations import Answer, Progress, Validation, read_answer, write_progress
from tests.composing import compose_trial

ACCURACY = Objective(name="accuracy", direction="maximize")
MEMORY = Objective(name="peak_memory_mib", direction="minimize")


def progress(*values, name="accuracy", **costs):
    validations = [Validation(steps=10 * n, values={name: v}) for n, v in enumerate(values, start=1)]
    return Progress(length=100, validations=validations, costs=costs)


@pytest.fixture
def stored(tmp_path):
    """A study with a median pruner and two complete trials, at 0.5 after each validation."""
    study = StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", [ACCURACY], tmp_path)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1)
    study.use(optuna.samplers.RandomSampler(seed=0), GridSize(), pruner)
    for trial in study.ask(2, 9):
        for step in range(4):
            trial.report(0.5, step)
        study.study.tell(trial, 0.5)
    return study


def answered(folder, count):
    """The answer to so many validations, once it is there; the watch looks every tenth of a second."""
    for _ in range(600):
        answer = read_answer(folder)
        if answer is not None and answer.validations >= count:
            return answer
        threading.Event().wait(0.05)
    raise AssertionError("no answer")


def test_a_running_trial_s_curve_reaches_optuna_and_the_decision_the_trial(stored, tmp_path):
    trials = stored.ask(2, 9)
    with EarlyEnds(by_pruner("accuracy"), tmp_path / "trials").watching(trials):
        good, bad = (tmp_path / "trials" / str(trial.number) for trial in trials)
        write_progress(good, progress(0.6))
        assert answered(good, 1) == Answer(validations=1)
        write_progress(bad, progress(0.3, 0.4))
        assert answered(bad, 2).ends == (
            "hydra/sweeper/pruner: MedianPruner ended the training after step 20 of 100: accuracy 0.4"
        )
        write_progress(good, progress(0.6, 0.7))  # Perhaps only seen when the batch is over.
    told = stored.trials()
    assert told[2].intermediate_values == {0: 0.6, 1: 0.7}
    assert told[3].intermediate_values == {0: 0.3, 1: 0.4}
    for trial, reason in zip(trials, [Reason.INTERRUPTED, Reason.PRUNER], strict=True):
        stored.tell(trial, TrialResult(number=trial.number, state=reason.state, reason=reason))
    assert [trial.state for trial in stored.trials()[2:4]] == [TrialState.FAIL, TrialState.PRUNED]
    assert stored.remaining(9) == 6, "a pruned trial counts, an interrupted one does not"


def test_an_undefined_value_is_compared_with_nothing(stored):
    (trial,) = stored.ask(1, 9)
    assert by_pruner("accuracy")(trial, progress(0.1, None), 2) == ""
    assert stored.trials()[trial.number].intermediate_values == {}


def test_a_trial_that_another_process_has_ended_is_left_alone(stored, tmp_path, capsys):
    (trial,) = stored.ask(1, 9)
    write_progress(tmp_path / str(trial.number), progress(0.1))
    stored.study.tell(trial, state=TrialState.FAIL)
    with EarlyEnds(by_pruner("accuracy"), tmp_path).watching([trial]):
        pass
    assert read_answer(tmp_path / str(trial.number)) is None
    assert capsys.readouterr().err == ""


def test_whatever_fails_is_said_once_and_trials_go_on(stored, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "_POLL_S", 0.0)
    (trial,) = stored.ask(1, 9)
    asked = threading.Semaphore(0)

    def broken(*_):
        asked.release()
        raise ValueError("postgresql://me:secret@db: it is away")

    with EarlyEnds(broken, tmp_path).watching([trial]):
        write_progress(tmp_path / str(trial.number), progress(0.1))
        assert all(asked.acquire(timeout=60) for _ in range(3)), "it is tried again"
    assert read_answer(tmp_path / str(trial.number)) is None
    assert capsys.readouterr().err == (
        "warning: no training is ended early for now: ValueError: postgresql://me:***@db: it is away\n"
    )


def complete(number, accuracy=0.8, memory=50.0, **changes):
    return TrialResult(
        number=number,
        state=State.COMPLETE,
        measurements={"accuracy": accuracy, "peak_memory_mib": memory},
        curves={"val_accuracy": [(50, accuracy - 0.1), (90, accuracy), (100, accuracy)]},
        **changes,
    )


def dominated(*results, running=None):
    rule = by_domination([ACCURACY, MEMORY], lambda: results)
    return rule(None, running or progress(0.1, 0.2, 0.3, 0.4, 0.5, peak_memory_mib=51.0), 5)


def test_a_training_that_a_complete_trial_beats_at_its_best_ends():
    known = [complete(number) for number in range(LEAST_CURVES)]
    assert dominated(*known) == (
        "study.stop_dominated: ended after step 50 of 100: trial 0 beats the best it could reach "
        "(accuracy 0.7, peak_memory_mib 51)"
    )
    assert dominated(*known, running=progress(*[0.1] * 5, peak_memory_mib=49.0)) == ""


def test_a_trial_whose_accuracy_is_another_s_has_its_curve_for_the_pruner(stored):
    (trial,) = stored.ask(1, 9)
    curves = {"val_accuracy": [(3, 0.2), (6, 0.4), (6, 0.4)]}
    measured = {"accuracy": 0.4}
    reused = TrialResult(
        number=trial.number, state=State.COMPLETE, measurements=measured, curves=curves, accuracy_from="0"
    )
    assert stored.tell(trial, reused)
    assert stored.trials()[trial.number].intermediate_values == {0: 0.2, 1: 0.4}


def test_trials_of_one_cost_key_cost_the_same(tmp_path):
    known = [complete(number, cost_key="k") for number in range(LEAST_CURVES)]
    smaller = dataclasses.replace(progress(*[0.1] * 5, peak_memory_mib=49.0), cost_key="k")
    assert dominated(*known, running=smaller) != ""
    assert dominated(*known, running=dataclasses.replace(smaller, cost_key="l")) == ""


def test_what_did_not_complete_or_has_another_s_curve_tells_nothing():
    known = [complete(number) for number in range(LEAST_CURVES - 1)]
    failed = TrialResult(number=9, state=State.PRUNED, reason=Reason.PRUNER, curves=complete(9).curves)
    reused = complete(9, accuracy_from="3")
    unmeasured = TrialResult(number=9, state=State.COMPLETE, measurements={"accuracy": 0.8}, curves=failed.curves)
    for another in (failed, reused, unmeasured):
        assert dominated(*known, another) == ""
    assert dominated(*known, complete(9)) != ""


def test_a_study_has_the_rule_that_it_asks_for(tmp_path):
    plain = compose_trial().study
    stopping = compose_trial("study.stop_dominated=true").study
    assert early_ends(None, plain, [ACCURACY], tmp_path) is None
    assert early_ends(None, stopping, [ACCURACY, MEMORY], tmp_path) is not None
    assert early_ends(optuna.pruners.MedianPruner(), plain, [ACCURACY], tmp_path) is not None
