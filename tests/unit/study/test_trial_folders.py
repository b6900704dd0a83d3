"""What stands in the folders of a study's trials, also where it is broken."""

import json

import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.trial_folders import TrialFolders
from terrasweep.trial.validations import Answer, Progress, read_progress, write_answer, write_progress


def test_a_trial_that_is_not_settled_has_no_result_and_a_changed_one_is_read_again(tmp_path):
    trials = TrialFolders(tmp_path)
    assert (trials.results(), trials.numbers()) == ([], [])
    assert trials.hand_out(3, "mine")
    result = TrialResult(number=3, state=State.COMPLETE, measurements={"accuracy": 0.5})
    (tmp_path / "3" / "result.json").write_text(result.to_json())
    assert trials.results() == []
    assert trials.write_final_result(result, "mine")
    assert trials.results() == [result]
    assert not trials.write_final_result(result, "mine"), "it is nobody's"
    other = TrialFolders(tmp_path)
    assert other.take_over(3, "yours") == result
    changed = TrialResult(number=3, state=State.COMPLETE, measurements={"accuracy": 0.75})
    assert other.write_final_result(changed, "yours")
    assert trials.results() == [changed]
    assert trials.numbers() == [3]


def test_what_a_trial_told_while_it_trained_goes_with_its_last_word(tmp_path):
    trials = TrialFolders(tmp_path)
    assert trials.hand_out(3, "mine")
    write_progress(tmp_path / "3", Progress(length=4, validations=[]))
    write_answer(tmp_path / "3", Answer(validations=0))
    assert not trials.write_final_result(TrialResult(number=3, state=State.COMPLETE), "another")
    assert read_progress(tmp_path / "3") is not None
    assert trials.write_final_result(TrialResult(number=3, state=State.PRUNED, reason=Reason.PRUNER), "mine")
    assert sorted(file.name for file in (tmp_path / "3").iterdir() if "late" not in file.name) == ["result.json"]


def test_results_are_in_the_order_of_their_numbers_and_strangers_are_none(tmp_path):
    for name in ("10", "9", "1x"):
        (tmp_path / name).mkdir()
        result = TrialResult(number=int(name[:2]) if name.isdigit() else None, state=State.COMPLETE)
        (tmp_path / name / "result.json").write_text(result.to_json())
    assert [result.number for result in TrialFolders(tmp_path).results()] == [9, 10]
    assert TrialFolders(tmp_path).numbers() == [9, 10]


def test_a_torn_result_is_said_once_and_read_when_it_is_mended(tmp_path, capsys):
    (tmp_path / "0").mkdir()
    file = tmp_path / "0" / "result.json"
    whole = TrialResult(number=0, state=State.COMPLETE).to_json()
    file.write_text(whole[:20])
    trials = TrialFolders(tmp_path)
    assert [trials.results(), trials.results()] == [[], []]
    assert len(capsys.readouterr().err.splitlines()) == 1
    with pytest.raises(InvalidConfig, match="move it away"):
        trials.result(0)
    assert trials.has_result(0)
    file.write_text(json.dumps(json.loads(whole)))
    assert trials.result(0).number == 0


@pytest.mark.parametrize("content", [b"", b"a: [", b"a:\n\tb: 1", b"\x80", b"- 1", b"text"])
def test_a_trial_s_configuration_that_can_t_be_read_is_as_none(tmp_path, content):
    file = tmp_path / "0" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    assert TrialFolders(tmp_path).config(0) is None


def test_a_torn_result_of_a_trial_that_is_taken_over_is_none(tmp_path):
    trials = TrialFolders(tmp_path)
    assert trials.hand_out(0, "mine")
    (tmp_path / "0" / "result.json").write_text('{"number": 0, "st')
    assert trials.take_over(0, "yours") is None
    assert not trials.write_final_result(TrialResult(number=0, state=State.COMPLETE), "mine"), "it is another's now"
