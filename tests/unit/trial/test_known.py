"""What is known of a trial is found under its keys, and nowhere else."""

import dataclasses
import json

import pytest

from terrasweep.config.schema import ObjectiveConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial import known
from terrasweep.trial.keys import Keys
from terrasweep.trial.known import find_known
from tests.composing import compose_trial

KEYS = Keys(quality="q-1", quality_in_parts="p-1", cost="c")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path / "results"


@pytest.fixture
def config():
    config = compose_trial("study.name=own")
    return dataclasses.replace(config, trial=dataclasses.replace(config.trial, number=9, attempt="now"))


def settle(root, number, *, study="own", room="trials", attempt=None, **given):
    fields = {"state": State.COMPLETE, "quality_key": "q-1", "cost_key": "c", "measurements": {"accuracy": 0.5}} | given
    folder = root / study / room / str(number)
    folder.mkdir(parents=True)
    result = TrialResult(number=number if isinstance(number, int) else None, **fields)
    (folder / "result.json").write_text(result.to_json())
    if attempt:
        (folder / ".attempt").write_text(attempt)
    return folder


def names(found):
    return tuple(None if source is None else source.name for source in (found.accuracy, found.cost))


def test_the_earliest_trial_with_the_same_keys_is_the_source(root, config):
    for number in (10, 2, 3):
        settle(root, number)
    assert names(find_known(config, KEYS)) == ("2", "2")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cost_key": "other"}, ("1", None)),
        ({"quality_key": "other"}, (None, "1")),
        ({"quality_key": "p-1"}, ("1", "1")),
        ({"quality_key": "q-2"}, (None, "1")),
        ({"quality_key": "", "cost_key": ""}, (None, None)),
        ({"accuracy_from": "0"}, (None, "1")),
        ({"cost_from": "0"}, ("1", None)),
        ({"measurements": {"accuracy": None}}, (None, "1")),
        ({"measurements": {"accuracy": 0.5, "disturbed": "a busy host"}}, ("1", None)),
        ({"state": State.FAILED, "reason": Reason.CRASHED}, (None, None)),
        ({"state": State.INFEASIBLE, "reason": Reason.TIMEOUT}, (None, None)),
        ({"state": State.INFEASIBLE, "reason": Reason.OOM_HOST}, (None, None)),
        ({"state": State.INFEASIBLE, "reason": Reason.DIVERGED}, ("1", None)),
        ({"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET}, (None, "1")),
        ({"attempt": "running"}, (None, None)),
    ],
)
def test_only_what_a_trial_has_measured_itself_is_known(root, config, given, expected):
    settle(root, 1, **given)
    assert names(find_known(config, KEYS)) == expected


def test_what_did_not_fit_another_budget_says_nothing(root, config):
    fits_not = {"state": State.INFEASIBLE, "reason": Reason.OVER_BUDGET}
    settle(root, 1, **fits_not, config={"budget": {"memory_gib": 1.0}})
    assert names(find_known(config, KEYS)) == (None, None)
    tight = dataclasses.replace(config, budget=dataclasses.replace(config.budget, memory_gib=1.0))
    assert names(find_known(tight, KEYS)) == (None, "1")


def test_other_studies_count_where_they_are_named_and_after_the_study_s_own(root, config):
    settle(root, 4, study="before", quality_key="q-2")
    settle(root, 5, study="before")
    assert names(find_known(config, KEYS)) == (None, None)
    sharing = dataclasses.replace(config, reuse=dataclasses.replace(config.reuse, studies=["before"]))
    assert names(find_known(sharing, KEYS)) == ("before/5", "before/4")
    rounded = dataclasses.replace(sharing, reuse=dataclasses.replace(sharing.reuse, to_rounding=True))
    assert names(find_known(rounded, KEYS)) == ("before/4", "before/4")
    settle(root, 8)
    assert names(find_known(sharing, KEYS)) == ("8", "8")


def test_baselines_and_repeats_count_too(root, config):
    settle(root, "plain", room="baselines", cost_key="other")
    settle(root, "3-seed1", room="repeats", quality_key="other")
    assert names(find_known(config, KEYS)) == ("baselines/plain", "repeats/3-seed1")


def test_nothing_is_known_where_it_is_not_wanted(root, config):
    settle(root, 1)
    off = dataclasses.replace(config, reuse=dataclasses.replace(config.reuse, name="off"))
    single = dataclasses.replace(config, trial=dataclasses.replace(config.trial, attempt=None))
    slow = ObjectiveConfig(name="fit_seconds", direction="minimize")
    timed = dataclasses.replace(config, study=dataclasses.replace(config.study, objectives=[slow]))
    for other in (off, single, timed):
        assert names(find_known(other, KEYS)) == (None, None)


def test_a_result_that_changes_or_can_t_be_read_is_seen_as_it_is_now(root, config):
    file = settle(root, 1) / "result.json"
    assert names(find_known(config, KEYS)) == ("1", "1")
    changed = json.loads(file.read_text()) | {"quality_key": "other"}
    file.write_text(json.dumps(changed, indent=1))
    assert names(find_known(config, KEYS)) == (None, "1")
    file.write_text("{")
    assert names(find_known(config, KEYS)) == (None, None)


def test_a_result_that_is_moved_away_while_it_is_looked_for_is_none(root, config, monkeypatch):
    (settle(root, 1) / "result.json").unlink()
    settle(root, 2)
    monkeypatch.setattr(
        known, "times_of_change", lambda folder, name: {"1": 5, "2": 7} if folder.name == "trials" else {}
    )
    assert names(find_known(config, KEYS)) == ("2", "2")


def test_only_numbers_are_trials(root, config):
    settle(root, "copy-of-1")
    assert names(find_known(config, KEYS)) == (None, None)
