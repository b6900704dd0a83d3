"""A trial of which something is known has each number from where it was measured."""

import dataclasses
from pathlib import Path

import pytest

from terrasweep.measure.catalog import MEASUREMENTS, all_measurements
from terrasweep.measure.learning_curves import VAL_SECONDS
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.known import Known, Source
from terrasweep.trial.reused import describe_answer, is_answered, share_weights, verified, with_known
from tests.composing import compose_trial


def trial(number, value, **given):
    """Every measurement is the value."""
    numbers = {name: value if measurement.number else str(value) for name, measurement in MEASUREMENTS.items()}
    curves = {"train_loss": [(0, value)], VAL_SECONDS: [(1, value)]}
    fields = {"state": State.COMPLETE, "measurements": all_measurements(numbers), "metrics": {"val_x": value}}
    return TrialResult(number=number, **fields | {"curves": curves, "touched": {"adapted": [str(value)]}} | given)


@pytest.fixture
def source(tmp_path):
    def of(name, value, **given):
        return Source(name=name, folder=tmp_path / name, result=trial(None, value, **given))

    return of


def by_kind(result):
    kinds = {"quality": set(), "training": set(), "cost": set()}
    for name, value in result.measurements.items():
        measurement = MEASUREMENTS[name]
        kind = "quality" if measurement.of_quality else "training" if measurement.of_whole_training else "cost"
        if name != "wall_seconds":
            kinds[kind].add(None if value is None else float(value))
    return kinds


def test_a_probe_has_another_trial_s_accuracy_and_its_own_cost(source):
    found = with_known(trial(5, 1.0), Known(accuracy=source("2", 2.0)))
    assert by_kind(found) == {"quality": {2.0}, "training": {None}, "cost": {1.0}}
    assert (found.number, found.accuracy_from, found.cost_from) == (5, "2", "")
    assert found.metrics == {"val_x": 2.0}
    assert found.curves == {"train_loss": [(0, 2.0)]}, "how long it took is the other trial's"
    assert found.touched == {"adapted": ["1.0"]}


def test_an_answer_has_each_number_from_its_source_and_its_own_time(source):
    asked = trial(5, 1.0)
    found = with_known(asked, Known(accuracy=source("2", 2.0), cost=source("3", 3.0)))
    assert by_kind(found) == {"quality": {2.0}, "training": {None}, "cost": {3.0}}
    assert (found.accuracy_from, found.cost_from) == ("2", "3")
    assert found.measurements["wall_seconds"] == 1.0
    assert found.touched == {"adapted": ["3.0"]}


def test_an_answer_s_log_names_the_sources(source):
    known = Known(accuracy=source("2", 2.0), cost=source("3", 3.0))
    assert describe_answer(known) == "answered without being run: accuracy of trial 2, memory and speed of trial 3\n"


def test_a_twin_has_all_of_the_other_one(source):
    found = with_known(trial(5, 1.0), Known(accuracy=source("2", 2.0), cost=source("2", 2.0)))
    assert by_kind(found) == {"quality": {2.0}, "training": {2.0}, "cost": {2.0}}
    assert found.curves[VAL_SECONDS] == [(1, 2.0)]


def test_what_is_trained_keeps_all_of_its_own(source):
    measured = trial(5, 1.0)
    assert with_known(measured, Known(cost=source("2", 2.0))) == measured
    assert with_known(measured, Known()) == measured
    failed = dataclasses.replace(measured, state=State.FAILED, reason=Reason.CRASHED)
    assert with_known(failed, Known(accuracy=source("2", 2.0))) == failed


@pytest.mark.parametrize("reason", [Reason.OVER_BUDGET, Reason.DIVERGED])
def test_a_trial_that_can_t_complete_ends_as_the_other_one(source, reason):
    ended = source("2", 2.0, state=State.INFEASIBLE, reason=reason, message="the reason", violation=0.25)
    known = Known(accuracy=ended) if reason is Reason.DIVERGED else Known(cost=ended)
    assert is_answered(known)
    found = with_known(trial(5, 1.0), known)
    assert (found.state, found.reason, found.violation) == (State.INFEASIBLE, reason, 0.25)
    assert found.message == "as trial 2: the reason"
    assert (found.accuracy_from, found.cost_from) == (("2", "") if reason is Reason.DIVERGED else ("", "2"))


def test_a_share_of_the_known_is_trained_again(source):
    known, config = Known(accuracy=source("2", 2.0)), compose_trial()

    def share(verify):
        reuse = dataclasses.replace(config.reuse, verify=verify)
        trials = (dataclasses.replace(config.trial, number=number) for number in range(2000))
        return [verified(dataclasses.replace(config, reuse=reuse, trial=each), known) for each in trials]

    assert set(share(0.0)) == {""}
    assert set(share(1.0)) == {"2"}
    assert share(0.1).count("2") == pytest.approx(200, abs=60)
    assert share(0.1) == share(0.1)
    assert verified(config, Known(cost=source("2", 2.0))) == ""


def test_weights_are_shared_without_a_copy_and_outlive_the_others(source, tmp_path):
    known = source("2", 2.0)
    (known.folder / "weights" / "adapter").mkdir(parents=True)
    for name in ("trained.safetensors", "adapter/config.json"):
        (known.folder / "weights" / name).write_text(name)
    share_weights(known.folder, tmp_path / "5")
    assert (tmp_path / "5" / "weights" / "trained.safetensors").stat().st_nlink == 2
    for file in (known.folder / "weights").rglob("*.*"):
        file.unlink()
    assert (tmp_path / "5" / "weights" / "adapter" / "config.json").read_text() == "adapter/config.json"


def test_on_another_file_system_they_are_copied(source, tmp_path, monkeypatch):
    known = source("2", 2.0)
    (known.folder / "weights").mkdir(parents=True)
    (known.folder / "weights" / "trained.safetensors").write_text("w")

    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    share_weights(known.folder, tmp_path / "5")
    assert (tmp_path / "5" / "weights" / "trained.safetensors").read_text() == "w"


def test_weights_that_go_at_this_moment_are_not_shared_in_part(source, tmp_path, monkeypatch):
    known = source("2", 2.0)
    (known.folder / "weights").mkdir(parents=True)
    for name in ("adapter.safetensors", "trained.safetensors"):
        (known.folder / "weights" / name).write_text(name)

    def link(self, target, real=Path.hardlink_to):
        real(self, target)
        (known.folder / "weights" / "trained.safetensors").unlink()

    monkeypatch.setattr("pathlib.Path.hardlink_to", link)
    share_weights(known.folder, tmp_path / "5")
    assert list((tmp_path / "5").iterdir()) == []


def test_weights_that_were_not_kept_are_no_trouble(source, tmp_path):
    share_weights(source("2", 2.0).folder, tmp_path / "5")
    assert not (tmp_path / "5").exists()
