"""What a killed sweep left is settled once, and failures that stop a study run again; test_loop*.py have the whole."""

import pytest

from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.resume import failures_before, release_failures, take_over_orphans, unseen_trials
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
