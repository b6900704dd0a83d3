"""What Optuna is told, what counts towards the total, and what a killed process leaves."""

import subprocess
import sys

import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.ranges import suggest
from terrasweep.study.samplers import GridSize

OBJECTIVES = [Objective(name="accuracy", direction="maximize"), Objective(name="peak_memory_mib", direction="minimize")]
CHOICE = CategoricalDistribution(["a", "b"])


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'optuna.db'}"


@pytest.fixture
def stored(tmp_path, url):
    return StoredStudy("s", url, OBJECTIVES, tmp_path)


def complete(accuracy, memory):
    measured = Measurements(accuracy=accuracy, peak_memory_mib=memory)
    return TrialResult(number=0, state=State.COMPLETE, measurements=measured)


def ended(reason, violation=None):
    return TrialResult(number=0, state=reason.state, reason=reason, violation=violation)


def run_one(stored, result, total=100):
    (trial,) = stored.ask(1, total)
    suggest(trial, "x", CHOICE)
    stored.tell(trial, result)
    return stored.study.trials[trial.number]


def test_processes_that_start_together_make_the_tables_once(tmp_path, url):
    code = f"""
from pathlib import Path
from terrasweep.results.study_record import Objective
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_study import StoredStudy
objectives = [Objective(name="accuracy", direction="maximize")]
StoredStudy("s", {url!r}, objectives, Path({str(tmp_path)!r})).ask(1, 9)
"""
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 3
    assert len(optuna.load_study(study_name="s", storage=url).trials) == 3


def test_each_state_is_told_as_the_contract_says(stored):
    assert run_one(stored, complete(0.5, 10.0)).values == [0.5, 10.0]
    over = run_one(stored, ended(Reason.OVER_BUDGET, 0.25))
    assert (over.state.name, over.constraints) == ("PRUNED", {"miss": 0.25})
    assert run_one(stored, ended(Reason.TIMEOUT)).constraints == {"miss": 1.0}
    assert run_one(stored, ended(Reason.PRUNER)).state.name == "PRUNED"
    assert run_one(stored, ended(Reason.CRASHED)).state.name == "FAIL"
    for trial in stored.study.trials:
        assert trial.user_attrs["state"]


@pytest.mark.parametrize("name", ["NSGAIISampler", "NSGAIIISampler", "GPSampler"])
def test_a_sampler_that_ignores_pruned_trials_is_told_the_worst_values_and_the_miss(stored, name):
    stored.use(getattr(optuna.samplers, name)(seed=0), GridSize())
    assert run_one(stored, ended(Reason.OOM_HOST, 0.1)).state.name == "PRUNED", "no worst value is known yet"
    run_one(stored, complete(0.5, 10.0))
    run_one(stored, complete(0.3, 30.0))
    told = run_one(stored, ended(Reason.OOM_DEVICE, 0.1))
    assert (told.state.name, told.values, told.constraints) == ("COMPLETE", [0.3, 30.0], {"miss": 0.1})


def test_what_is_no_objective_and_a_sampler_may_want_stands_beside_the_values(stored):
    assert run_one(stored, complete(0.8, 500.0)).user_attrs["measured"] == {"peak_memory_mib": 500.0}
    assert run_one(stored, ended(Reason.CRASHED)).user_attrs["measured"] == {}


def over_the_limit(stored, tell_miss):
    """How many of a GP's trials lie above 0.5, where the accuracy would be higher and nothing fits.

    Without ``tell_miss`` they are told as crashes.
    """
    stored.use(optuna.samplers.GPSampler(seed=0, n_startup_trials=6), GridSize())
    drawn = []
    for _ in range(24):
        (trial,) = stored.ask(1, 24)
        x = trial.suggest_float("x", 0, 1)
        drawn.append(x)
        infeasible = ended(Reason.OVER_BUDGET, x - 0.5) if tell_miss else ended(Reason.CRASHED)
        stored.tell(trial, complete(x, 1.0) if x <= 0.5 else infeasible)
    return sum(x > 0.5 for x in drawn[12:])


@pytest.mark.slow
def test_what_does_not_fit_steers_a_gp_away(tmp_path):
    single = [OBJECTIVES[0]]
    told, untold = (
        over_the_limit(StoredStudy(name, f"sqlite:///{tmp_path / name}.db", single, tmp_path), tell_miss)
        for name, tell_miss in (("told", True), ("untold", False))
    )
    assert told < untold / 2, (told, untold)


def test_the_total_counts_every_trial_but_interrupted_ones(stored):
    for result in (complete(0.5, 1.0), ended(Reason.CRASHED), ended(Reason.INTERRUPTED)):
        run_one(stored, result)
    assert stored.remaining(5) == 3
    assert len(stored.ask(10, 5)) == 3
    assert stored.ask(1, 5) == []


def test_what_was_interrupted_runs_again_first_with_the_same_values(stored):
    (trial,) = stored.ask(1, 10)
    value = suggest(trial, "x", CHOICE)
    stored.tell(trial, ended(Reason.INTERRUPTED))
    (again,) = stored.ask(1, 10)
    assert again.number == trial.number + 1
    assert suggest(again, "x", CHOICE) == value
    assert again.user_attrs["retry_of"] == trial.number


def test_two_processes_never_ask_for_more_than_the_total(stored, tmp_path, url):
    other = StoredStudy("s", url, OBJECTIVES, tmp_path)
    taken = [trial.number for study in (stored, other) * 3 for trial in study.ask(2, 7)]
    assert sorted(taken) == list(range(7))


def test_processes_that_start_at_once_open_one_study(tmp_path, url):
    code = (
        "import sys; from pathlib import Path; from terrasweep.study.optuna_study import StoredStudy; "
        "from terrasweep.results.study_record import Objective; "
        "objectives = [Objective(name='accuracy', direction='maximize')]; "
        "input(); StoredStudy('s', sys.argv[1], objectives, Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, url, str(tmp_path)]
    starting = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate("go\n", timeout=60)[1] for process in starting]
    assert [process.returncode for process in starting] == [0, 0, 0], told


def test_other_objectives_are_found_and_said(stored, tmp_path, url):
    assert stored.find_changed_objectives() == []
    swapped = [Objective(name="throughput_samples_per_s", direction="maximize"), OBJECTIVES[1]]
    for other in ([OBJECTIVES[0]], OBJECTIVES[::-1], swapped):
        (line,) = StoredStudy("s", url, other, tmp_path).find_changed_objectives()
        assert "exists with other objectives (maximize accuracy, minimize peak_memory_mib)" in line
    assert StoredStudy("s", url, OBJECTIVES, tmp_path).find_changed_objectives() == []


def test_started_over_a_study_has_the_objectives_of_now_and_no_trials(stored, tmp_path, url):
    run_one(stored, ended(Reason.CRASHED))
    other = StoredStudy("s", url, [OBJECTIVES[1]], tmp_path)
    other.start_over()
    assert other.find_changed_objectives() == []
    assert other.trials() == []
    assert [t.name for t in other.study.directions] == ["MINIMIZE"]


def test_each_process_of_a_study_has_a_seed_of_its_own_and_a_single_one_counts_its_trials(stored, tmp_path, url):
    other = StoredStudy("s", url, OBJECTIVES, tmp_path)
    assert [stored.reserve_seed(0), other.reserve_seed(0), stored.reserve_seed(1)] == [0, 1, 2]
    assert [other.reserve_seed(7), stored.reserve_seed(7)] == [7, 8]


def test_a_trial_that_another_process_has_ended_keeps_what_that_told(stored, tmp_path, url):
    (trial,) = stored.ask(1, 9)
    other = StoredStudy("s", url, OBJECTIVES, tmp_path)
    other.study.tell(trial.number, [0.5, 1.0])
    assert not stored.tell(trial, ended(Reason.INTERRUPTED))
    (told,) = stored.trials()
    assert (told.state.name, told.values) == ("COMPLETE", [0.5, 1.0]), "and it does not run again"


def test_a_sampler_may_ask_the_study_to_stop_and_any_other_refusal_comes_through(stored, monkeypatch):
    (trial,) = stored.ask(1, 9)
    told = {}

    def refuse(trial, values, **_):
        raise RuntimeError(told["reason"])

    monkeypatch.setattr(stored.study, "tell", refuse)
    told["reason"] = "`Study.stop` is supposed to be invoked inside an objective function or a callback."
    assert stored.tell(trial, complete(0.5, 1.0))
    told["reason"] = "the storage is another's"
    with pytest.raises(RuntimeError, match="another's"):
        stored.tell(trial, complete(0.5, 1.0))


def test_a_baseline_is_the_first_proposal_once_per_study(stored, tmp_path, url):
    stored.propose_once({"lora": {"x": "b"}})
    (trial,) = stored.ask(1, 3)
    assert suggest(trial, "x", CHOICE) == "b"
    stored.tell(trial, complete(0.5, 1.0))
    StoredStudy("s", url, OBJECTIVES, tmp_path).propose_once({"lora": {"x": "b"}, "full": {"x": "b"}})
    assert len(stored.trials()) == 1, "neither again, nor what was proposed under another name"


def test_a_grid_comes_to_a_baseline_by_itself(stored):
    stored.limit(GridSize(combinations=2))
    stored.propose_once({"lora": {"x": "b"}})
    assert stored.trials() == []
