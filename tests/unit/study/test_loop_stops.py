"""A study's loop around trials that take no time: what counts, and when it stops."""

import itertools

import pytest

from terrasweep.machine import files
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_study import StoredStudy
from tests.unit.study.instant_trials import Sweep, broken, complete, start

pytestmark = pytest.mark.usefixtures("untracked")


def test_three_failures_alike_stop_a_study_and_run_again_when_the_cause_is_mended(tmp_path, capsys):
    away = Sweep(broken)
    status, stored, folder = start(tmp_path, away)
    assert status == 1
    assert len(away.ran) == 3
    assert stored.remaining(6) == 6, "none of them counts"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped: 3 trials in a row ended alike (data_error: the Hub is away; use another)")
    assert "study.stop_after_same_failures=null" in line
    back = Sweep(complete)
    status, stored, folder = start(tmp_path, back)
    assert (status, stored.remaining(6)) == (0, 0)
    assert back.ran[:3] == away.ran, "with the same values, first"
    assert sum(r.state is State.COMPLETE for r in folder.results()) == 6
    assert {r.reason for r in folder.results() if r.number < 3} == {Reason.INTERRUPTED}
    assert "data_error: the Hub is away" in folder.trials.result(0).message


def test_null_goes_on_and_a_study_in_which_nothing_completed_starts_over(tmp_path):
    away = Sweep(broken)
    assert start(tmp_path, away, limit=("study.stop_after_same_failures=null",))[0] == 1
    assert len(away.ran) == 6
    status, _, folder = start(tmp_path, Sweep(complete))
    assert (status, sum(r.state is State.COMPLETE for r in folder.results())) == (0, 6)


def test_a_study_with_an_answer_keeps_what_failed_in_it(tmp_path):
    outcomes = itertools.chain([complete], itertools.cycle([broken, complete]))
    mixed = Sweep(lambda values: next(outcomes)(values))
    assert start(tmp_path, mixed)[0] == 0
    again = Sweep(complete)
    assert start(tmp_path, again)[0] == 0
    assert again.ran == []


@pytest.mark.parametrize("write", range(1, 8))
def test_a_kill_while_failures_are_taken_back_loses_no_trial(tmp_path, monkeypatch, write):
    """The disk fails at one write after the other, as a kill would; the next start makes up for it."""
    count = itertools.count()

    def fail(path, content, real=files.write_atomically):
        if "again" in str(content) and next(count) == write // 2:
            raise KeyboardInterrupt
        real(path, content)

    def fail_to_tell(self, numbers, real=StoredStudy.run_again):
        real(self, list(numbers)[: write % 2])
        if numbers and next(count) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("terrasweep.study.folder.write_atomically", fail)
        patched.setattr(StoredStudy, "run_again", fail_to_tell)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path, Sweep(broken))
            raise KeyboardInterrupt
    status, stored, folder = start(tmp_path, Sweep(complete))
    assert (status, stored.remaining(6)) == (0, 0)
    assert sum(r.state is State.COMPLETE for r in folder.results()) == 6


def test_an_objective_that_no_trial_measures_stops_a_study_after_the_first(tmp_path, capsys):
    blind = Sweep(lambda _: TrialResult(number=0, state=State.COMPLETE, measurements=Measurements()))
    status, stored, _ = start(tmp_path, blind)
    assert (status, len(blind.ran), stored.remaining(6)) == (1, 1, 6)
    assert "stopped: every trial would end alike (invalid_config: study.objectives: accuracy" in capsys.readouterr().err


def test_one_that_some_trials_measure_is_no_reason_to_stop(tmp_path):
    outcomes = itertools.cycle([complete, lambda _: TrialResult(number=0, state=State.COMPLETE)])
    some = Sweep(lambda values: next(outcomes)(values))
    assert start(tmp_path, some)[0] == 0
    assert len(some.ran) == 6
