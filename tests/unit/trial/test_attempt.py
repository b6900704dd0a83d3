"""A trial's result is written by whoever owns the trial, and by nobody else."""

import json

import pytest

from terrasweep.results.errors import Interrupted
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.attempt import hand_out, is_settled, put_back, take_over, write_result
from terrasweep.trial.run import run_trial
from tests.trials import tiny

FIRST, SECOND = "first", "second"


def complete(accuracy=0.5):
    return TrialResult(number=3, state=State.COMPLETE, measurements=Measurements(accuracy=accuracy))


def interrupted():
    return TrialResult(number=3, state=State.FAILED, reason=Reason.INTERRUPTED)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "trials" / "3"


def stored(folder, name="result.json"):
    return TrialResult.from_json((folder / name).read_text())


def test_the_owner_writes_and_settles(folder):
    assert hand_out(folder, FIRST)
    assert write_result(folder, complete(), FIRST)
    assert not is_settled(folder)
    assert write_result(folder, complete(0.6), FIRST, is_final=True)
    assert is_settled(folder)
    assert stored(folder) == complete(0.6)


def test_a_result_that_comes_after_it_was_settled_is_kept_beside_and_said(folder, capsys):
    hand_out(folder, FIRST)
    take_over(folder, SECOND)
    write_result(folder, interrupted(), SECOND, is_final=True)
    before = (folder / "result.json").read_bytes()
    assert not write_result(folder, complete(), FIRST)
    assert (folder / "result.json").read_bytes() == before
    assert stored(folder, "result.late-first.json") == complete()
    (line,) = capsys.readouterr().err.splitlines()
    assert "trial 3" in line
    assert "result.late-first.json" in line


def test_a_trial_that_was_taken_over_is_not_its_first_owner_s_to_settle(folder, capsys):
    hand_out(folder, FIRST)
    take_over(folder, SECOND)
    assert not write_result(folder, interrupted(), FIRST, is_final=True)
    assert not (folder / "result.json").exists()
    assert sorted(path.name for path in folder.iterdir()) == [".attempt"], "nothing was measured: nothing to keep"
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_result_of_another_trial_is_never_the_answer_of_a_new_one(folder):
    hand_out(folder, FIRST)
    write_result(folder, complete(), FIRST, is_final=True)
    assert not hand_out(folder, SECOND)
    assert not write_result(folder, interrupted(), SECOND, is_final=True)
    assert stored(folder) == complete()


def test_what_can_t_be_read_is_kept_beside(folder):
    hand_out(folder, FIRST)
    (folder / "result.json").write_text('{"number": 3, "sta')
    write_result(folder, complete(), FIRST, is_final=True)
    assert stored(folder) == complete()
    assert (folder / "result.unreadable-first.json").read_text() == '{"number": 3, "sta'


def test_a_lost_result_is_put_back_and_none_that_is_there_replaced(folder):
    put_back(folder, complete())
    put_back(folder, interrupted())
    assert stored(folder) == complete()


def test_a_worker_that_comes_to_run_too_late_touches_nothing(folder):
    hand_out(folder, FIRST)
    take_over(folder, SECOND)
    write_result(folder, interrupted(), SECOND, is_final=True)
    (folder / "log.txt").write_text("of the first run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(Interrupted, match="settled"):
        run_trial(tiny("trial.number=3", "trial.attempt=first"), folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_attempt_is_not_part_of_what_is_stored():
    from terrasweep.config.compose import public_dict

    assert "first" not in json.dumps(public_dict(tiny("trial.number=3", "trial.attempt=first")))
