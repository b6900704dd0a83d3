"""Which weights stay: those that a study asks for, at any moment, whoever else works on it."""

import dataclasses

import pytest

from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import keep_weights
from terrasweep.study.folder import StudyFolder
from tests.unit.report.sample_study import study

OBJECTIVES = [
    Objective(name="accuracy", direction="maximize"),
    Objective(name="peak_memory_mib", direction="minimize"),
]


@pytest.fixture
def folder(tmp_path):
    opened = StudyFolder(tmp_path / "mine")
    opened.open(dataclasses.replace(study()[0], objectives=OBJECTIVES, reference={}))
    return opened


def settled(number, accuracy, memory, keep="front", state=State.COMPLETE):
    return TrialResult(
        number=number,
        state=state,
        measurements=Measurements(accuracy=accuracy, peak_memory_mib=memory),
        config={"study": {"keep_weights": keep}},
    )


def settle(folder, result):
    assert folder.trials.hand_out(result.number, "attempt")
    assert folder.add(result, "attempt")


def save(folder, number, name="weights"):
    weights = folder.path / "trials" / str(number) / name
    weights.mkdir(parents=True)
    (weights / "weights.json").write_text("{}")


def holding(folder):
    return {int(path.parent.name) for path in folder.path.glob("trials/*/weights")}


def leftovers(folder):
    return {path.name for path in folder.path.glob("trials/*/.*")}


def test_the_front_s_weights_stay_and_those_it_passes_go(folder):
    steps = [
        ((0, 0.5, 100.0), {0}),
        ((1, 0.6, 200.0), {0, 1}),
        ((2, 0.4, 150.0), {0, 1}),
        ((3, 0.6, 90.0), {3}),
    ]
    for (number, accuracy, memory), staying in steps:
        save(folder, number)
        settle(folder, settled(number, accuracy, memory))
        assert holding(folder) == staying == {r.number for r in folder.front()}
    save(folder, 4)
    settle(folder, settled(4, 0.6, 90.0))
    assert {r.number for r in folder.front()} == {3}, "one stands for both"
    assert holding(folder) == {3, 4}, "a tie may be told apart later"


def test_what_only_the_errors_keep_off_the_front_keeps_its_weights(folder):
    """Trial 1 is larger by less than a new measurement of both could turn around; trial 2 is larger by far."""
    for number, memory, probes in ((0, 100.0, [{"peak_memory_mib": 110.0}]), (1, 108.0, []), (2, 1e6, [])):
        save(folder, number)
        keys = {"quality_key": f"q{number}", "cost_key": f"c{number}", "probes": probes}
        settle(folder, dataclasses.replace(settled(number, 0.6, memory), **keys))
    assert [r.number for r in folder.front()] == [0]
    assert holding(folder) == {0, 1}


def test_each_trial_s_own_setting_holds(folder):
    for number, keep in enumerate(("all", "front", "none", "all")):
        save(folder, number)
        settle(folder, settled(number, 0.5 + number / 10, 100.0, keep))
    assert holding(folder) == {0, 3}


def test_a_trial_that_is_not_on_the_front_because_it_failed_loses_its_weights(folder):
    save(folder, 0)
    settle(folder, settled(0, 0.9, 1.0, state=State.FAILED))
    assert holding(folder) == set()


def test_what_runs_elsewhere_is_left_alone(folder):
    """Another process has written its weights, or is about to, and not yet its result."""
    save(folder, 1)
    save(folder, 2, ".weights.draft-4711")
    save(folder, 0)
    settle(folder, settled(0, 0.5, 100.0))
    assert holding(folder) == {0, 1}
    assert leftovers(folder) == {".weights.draft-4711"}


def test_what_a_killed_process_left_goes_with_the_next_trial(folder):
    save(folder, 0, ".weights.draft-4711")
    save(folder, 0, ".weights.discarded-4712")
    settle(folder, settled(0, 0.5, 100.0))
    assert leftovers(folder) == set()


def test_a_kill_in_mid_removal_leaves_no_half_of_it(folder, monkeypatch):
    save(folder, 0)
    settle(folder, settled(0, 0.5, 100.0))

    class Killed(BaseException):
        pass

    def kill(*_, **__):
        raise Killed

    monkeypatch.setattr(keep_weights.shutil, "rmtree", kill)
    with pytest.raises(Killed):
        settle(folder, settled(1, 0.6, 90.0))
    assert holding(folder) == set()
    monkeypatch.undo()
    settle(folder, settled(2, 0.6, 80.0))
    assert leftovers(folder) == set()


def test_a_kill_before_the_removal_is_made_up_for(folder, monkeypatch):
    save(folder, 0)
    settle(folder, settled(0, 0.5, 100.0))
    monkeypatch.setattr(keep_weights, "prune", lambda *_: None)
    settle(folder, settled(1, 0.6, 90.0))
    assert holding(folder) == {0}
    monkeypatch.undo()
    folder.trials.take_over(1, "the next start")
    assert folder.add(settled(1, 0.6, 90.0), "the next start")
    assert holding(folder) == set()


def alike(number, key, keep="front", saved=True):
    config = {"study": {"keep_weights": keep}, "train": {"save_weights": saved}}
    return dataclasses.replace(settled(number, 0.5, 100.0), quality_key=key, config=config)


def test_what_comes_back_to_the_front_has_the_weights_of_a_trial_with_its_accuracy(tmp_path):
    trials = [alike(0, "a"), alike(1, "a"), alike(2, "b"), alike(3, "c"), alike(4, ""), alike(5, "")]
    for place in ("trials/1", "baselines/full", "trials/5"):
        (tmp_path / place / "weights").mkdir(parents=True)
        (tmp_path / place / "weights" / "w").write_text(place)
    baseline = dataclasses.replace(alike(None, "b"), number=None)
    (tmp_path / "baselines" / "full" / "result.json").write_text(baseline.to_json())
    assert keep_weights.complete(tmp_path, trials, [trials[n] for n in (0, 1, 2, 3, 4)]) == [3, 4]
    found = {n: (tmp_path / "trials" / str(n) / "weights" / "w") for n in (0, 1, 2)}
    assert {n: file.read_text() for n, file in found.items()} == {0: "trials/1", 1: "trials/1", 2: "baselines/full"}
    assert not (tmp_path / "trials" / "3").exists()
    assert keep_weights.complete(tmp_path, trials, trials[:3]) == []


def test_where_no_weights_were_wanted_none_are_missed(tmp_path):
    wanted = [alike(0, "a", keep="none"), alike(1, "b", saved=False), settled(2, 0.5, 100.0)]
    assert keep_weights.complete(tmp_path, wanted, wanted) == []


@pytest.mark.parametrize("keep", ["front", "all", "none"])
def test_the_weights_of_baselines_go_unless_all_are_kept(tmp_path, keep):
    weights = tmp_path / "baselines" / "full" / "weights"
    weights.mkdir(parents=True)
    (weights / "w").write_text("")
    keep_weights.prune_baselines(tmp_path, keep)
    assert weights.exists() == (keep == "all")
    assert weights.parent.exists()
