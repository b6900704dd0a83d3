"""What of a study may change between its starts: everything where nothing came of it, else its total."""

import dataclasses

import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.record import continued, find_changed_ranges, find_record, new_record, objectives_of, with_data
from terrasweep.study.search_space import parse_space
from terrasweep.trial import prepare
from tests.composing import compose_trial
from tests.studies import study_record

SPACE = parse_space({"x": "choice(1,2,3)"}, ["train.lr=0.5", "tracking.uri=http://me:secret@host"])
FAILED = TrialResult(number=0, state=State.FAILED, reason=Reason.CRASHED)
COMPLETE = TrialResult(number=1, state=State.COMPLETE)


def mined(**changes):
    config = compose_trial("study.name=s", "study.n_trials=7", "train.lr=0.5")
    return config, dataclasses.replace(new_record(config, SPACE, "optuna.samplers.TPESampler"), **changes)


def test_a_new_record_says_what_is_fixed_and_searched_without_passwords():
    config, record = mined()
    assert (record.name, record.n_trials, record.sampler) == ("s", 7, "TPESampler")
    assert record.space == {"x": "choice(1,2,3)"}
    assert record.overrides == ["train.lr=0.5", "tracking.uri=http://me:***@host"]
    assert record.objectives == objectives_of(config)
    assert record.settings["train.lr"] == 0.5


@pytest.mark.parametrize("results", [[], [FAILED], [FAILED, COMPLETE]])
def test_objectives_and_ranges_are_others_only_where_nothing_came_to_an_answer(results):
    config, expected = mined()
    old = study_record(name="s", space={"x": "choice(7)"}, started="2026-01-01T00:00:00.000+00:00")
    if COMPLETE in results:
        with pytest.raises(InvalidConfig, match=r"other objectives \(maximize accuracy\)"):
            continued(old, config, SPACE, results)
        old = dataclasses.replace(old, objectives=expected.objectives)
        assert continued(old, config, SPACE, results) == dataclasses.replace(old, n_trials=7)
    else:
        record = continued(old, config, SPACE, results)
        assert (record.objectives, record.space) == (expected.objectives, expected.space)
        assert record.overrides == expected.overrides
        assert record.started == old.started, "it is the same study"


@pytest.mark.parametrize(("state", "mended"), [(State.FAILED, True), (State.COMPLETE, False)])
def test_what_was_mended_is_no_change_where_nothing_came_to_an_answer(tmp_path, capsys, state, mended):
    folder = StudyFolder(tmp_path / "s")
    config = compose_trial("study.name=s", "train.lr=0.5")
    objectives = objectives_of(config)
    old = study_record(name="s", objectives=objectives, settings={"train.lr": 0.1})
    folder.open(old)
    reason = Reason.CRASHED if state is State.FAILED else None
    measured = Measurements(dict.fromkeys((o.name for o in objectives), 0.5))
    folder.trials.take_over(0, "an attempt")
    folder.add(TrialResult(number=0, state=state, reason=reason, measurements=measured), "an attempt")
    record = find_record(config, SPACE, "", folder)
    assert (record.settings.get("train.lr") == 0.5) == mended
    assert ("not comparable" in capsys.readouterr().err) != mended
    assert record.started == old.started


@pytest.mark.parametrize(("augment", "told"), [("d4", True), ("none", False)])
def test_a_study_from_before_there_was_augmentation_was_started_with_none(tmp_path, capsys, augment, told):
    folder = StudyFolder(tmp_path / "s")
    config = compose_trial("study.name=s", f"augment={augment}")
    _, record = mined()
    earlier = {key: value for key, value in record.settings.items() if not key.startswith("augment.")}
    folder.open(dataclasses.replace(record, settings=earlier | {"train.lr": config.train.lr}))
    measured = Measurements(dict.fromkeys((o.name for o in record.objectives), 0.5))
    folder.trials.take_over(0, "an attempt")
    folder.add(TrialResult(number=0, state=State.COMPLETE, measurements=measured), "an attempt")
    find_record(config, SPACE, "", folder)
    lines = capsys.readouterr().err.splitlines()
    warning = "warning: augment.name=d4, but the study s was started with none: its trials are not comparable; "
    assert lines == [f"{warning}use another study.name"] * told


def test_a_range_is_changed_where_optuna_can_t_take_it(tmp_path):
    stored = StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", study_record().objectives, tmp_path)
    assert find_changed_ranges(SPACE, stored) == []
    SPACE.suggest(stored.ask(1, 1)[0], None)
    assert find_changed_ranges(SPACE, stored) == []
    wider = parse_space({"x": "choice(1,2,3,4)", "y": "choice(1)"}, [])
    (line,) = find_changed_ranges(wider, stored)
    assert line.startswith("search space: x: choice(1,2,3,4): the study s was started with other values")


@pytest.mark.parametrize(("before", "warned"), [(None, False), ("one", False), ("another", True)])
def test_data_that_have_changed_since_the_start_are_said_and_described_as_now(monkeypatch, capsys, before, warned):
    monkeypatch.setattr(prepare, "check_data", lambda config: {"state": "one", "tiles": 7})
    old = study_record(name="s", data={} if before is None else {"state": before, "tiles": 5})
    record = with_data(old, compose_trial())
    assert record == dataclasses.replace(old, data={"state": "one", "tiles": 7})
    told = capsys.readouterr().err
    assert told.startswith("warning: the data of s have changed since it was started") == warned
    assert bool(told) == warned
