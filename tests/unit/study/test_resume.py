"""What a killed sweep left is settled once, and failures that stop a study run again; test_loop*.py have the whole."""

import pytest
from optuna.pruners import ThresholdPruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.early_ends import EarlyEnds, by_pruner
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.resume import failures_before, release_failures, take_over_orphans, unseen_trials
from terrasweep.study.samplers import GridSize
from terrasweep.trial.validations import Progress, Validation, write_progress
from tests.composing import compose_trial
from tests.studies import study_record


@pytest.fixture
def study(tmp_path):
    folder = StudyFolder(tmp_path)
    objectives = [Objective(name="accuracy", direction="maximize")]
    folder.open(study_record(objectives=objectives))
    return folder, StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", objectives, tmp_path)


def failed(number, message="no data", reason=Reason.DATA_ERROR):
    return TrialResult(number=number, state=State.FAILED, reason=reason, message=message)


FINE = TrialResult(number=9, state=State.COMPLETE)


def test_an_orphan_s_own_answer_counts_and_one_without_runs_again(study, tmp_path):
    folder, stored = study
    config = compose_trial("study.name=s")
    for trial in stored.ask(2, 9):
        trial.set_user_attr("owner", "")
        assert folder.trials.hand_out(trial.number, "killed")
    answer = TrialResult(number=0, state=State.COMPLETE, measurements={"accuracy": 0.5}, searched={"x": 1})
    (tmp_path / "trials" / "0" / "result.json").write_text(answer.to_json())
    found = {trial.number: (r, s) for trial, r, s in take_over_orphans(folder, stored, "new", config, takeover=False)}
    assert found[0] == (answer, {"x": 1})
    assert (found[1][0].reason, found[1][1]) == (Reason.INTERRUPTED, {})
    assert found[1][0].config["study"]["name"] == "s"
    assert list(take_over_orphans(folder, stored, "new", config, takeover=False)) == [], "they are this process's"


def test_a_trial_that_was_judged_when_its_sweep_was_killed_runs_again_with_a_curve_of_its_own(study, tmp_path):
    """Killed between its pruner's word and its result; another was killed after its result."""
    folder, stored = study
    stored.use(RandomSampler(seed=0), GridSize(), ThresholdPruner(lower=0.5))
    curve = Progress(length=9, validations=[Validation(steps=3, values={"accuracy": 0.25})])
    trials = stored.ask(2, 2)
    for trial in trials:
        trial.suggest_int("x", 1, 10**6)
        trial.set_user_attr("owner", "")
        assert folder.trials.hand_out(trial.number, "killed")
        write_progress(tmp_path / "trials" / str(trial.number), curve)
    with EarlyEnds(by_pruner("accuracy"), tmp_path / "trials").watching(trials):
        pass
    pruned = TrialResult(number=1, state=State.PRUNED, reason=Reason.PRUNER, curves={"val_accuracy": [(3, 0.25)]})
    (tmp_path / "trials" / "1" / "result.json").write_text(pruned.to_json())
    for trial, result, _ in take_over_orphans(folder, stored, "new", compose_trial("study.name=s"), takeover=False):
        assert folder.add(result, "new")
        assert stored.tell(trial, result)
    assert [t.state for t in stored.trials()] == [TrialState.FAIL, TrialState.PRUNED, TrialState.WAITING]
    assert not [*tmp_path.glob("trials/*/.[va]*")], "nothing is left of what they told"
    (again,) = stored.ask(9, 2)
    told = stored.trials()
    assert again.suggest_int("x", 1, 10**6) == told[0].params["x"]
    assert (told[1].intermediate_values, told[again.number].intermediate_values) == ({0: 0.25}, {})


def test_trials_of_other_machines_are_named(study):
    _, stored = study
    (trial,) = stored.ask(1, 9)
    trial.set_user_attr("owner", f"{'0' * 8}-{'1' * 8}-7-7@node7")
    (line,) = unseen_trials(stored)
    assert "trial 0 runs on node7" in line
    assert "study.takeover=true" in line


@pytest.mark.parametrize(
    ("results", "again"),
    [
        ([failed(0), failed(1)], [0, 1]),
        ([FINE, failed(1), failed(2)], [1, 2]),
        ([failed(0), failed(1), FINE], []),
        ([FINE, failed(1), failed(2, "another")], []),
        ([failed(0, reason=Reason.INTERRUPTED), failed(1)], [1]),
        ([], []),
    ],
)
def test_failures_run_again_where_nothing_came_of_the_study_or_they_had_stopped_it(results, again):
    assert [result.number for result in failures_before(results, 2)] == again


def test_what_is_released_does_not_count_and_is_proposed_again(study):
    folder, stored = study
    (trial,) = stored.ask(1, 1)
    trial.suggest_int("x", 1, 10**6)
    assert folder.trials.hand_out(trial.number, "a")
    assert folder.add(failed(trial.number), "a")
    stored.tell(trial, failed(trial.number))
    assert stored.ask(1, 1) == []
    for _ in range(2):
        release_failures(folder.results(), folder, stored, "a")
    (result,) = folder.results()
    assert (result.reason, stored.remaining(1)) == (Reason.INTERRUPTED, 1)
    assert "it ended as data_error: no data" in result.message
    (again,) = stored.ask(1, 1)
    assert again.suggest_int("x", 1, 10**6) == trial.params["x"]
