"""A study's loop around trials that take no time: what is proposed, what counts, and when it stops."""

import dataclasses
import itertools

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from terrasweep import report
from terrasweep.machine import files
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import loop
from terrasweep.study.folder import StudyFolder
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.samplers import GridSize, build_grid
from terrasweep.study.search_space import parse_space
from terrasweep.study.sweep import StudySweep
from tests.composing import compose_trial

BASE = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})
OBJECTIVES = [Objective(name="accuracy", direction="maximize")]
RECORD = StudyRecord(
    name="s",
    n_trials=6,
    objectives=OBJECTIVES,
    space={},
    overrides=[],
    sampler="",
    seed=0,
    storage="",
    tracking_uri="",
    environment={},
    started="2026-01-01T00:00:00+00:00",
)
SPACE = parse_space({"x": "choice(1,2,3)", "y": "choice(1,2,3)"}, [])


class Sweep:
    """Runs trials by a function of their values, and forbids some."""

    n_jobs = 1
    space = SPACE

    def __init__(self, outcome, forbids=lambda values: False, n_jobs=1):
        self.outcome, self.forbids, self.n_jobs = outcome, forbids, n_jobs
        self.ran = []

    def find_violations(self, values):
        return ["x with y: no; use others"] if self.forbids(values) else []

    def launch(self, trials, values, attempt):
        jobs = []
        for trial, chosen in zip(trials, values, strict=True):
            self.ran.append(chosen)
            job = JobReturn(status=JobStatus.COMPLETED)
            job.return_value = dataclasses.replace(self.outcome(chosen), number=trial.number)
            jobs.append(job)
        return jobs


class NoTracker:
    def __init__(self, *_):
        pass

    def __getattr__(self, _):
        return lambda *_: None


@pytest.fixture(autouse=True)
def light(monkeypatch):
    monkeypatch.setattr(loop, "BackgroundTracker", NoTracker)
    monkeypatch.setattr(report, "write_report", lambda *_: None)
    monkeypatch.setattr(report, "write_tables", lambda *_: None)


def complete(values):
    return TrialResult(number=0, state=State.COMPLETE, measurements=Measurements(accuracy=values["x"] / 10))


def broken(values, message="the Hub is away; use another"):
    return TrialResult(number=0, state=State.FAILED, reason=Reason.DATA_ERROR, message=message)


def start(tmp_path, sweep, total=6, sampler=None, limit="study.stop_after_same_failures=3"):
    """One start of the study; returns the exit status and the stored study."""
    folder = StudyFolder(tmp_path / "s")
    folder.path.mkdir(exist_ok=True)
    config = compose_trial("study.name=s", f"study.n_trials={total}", limit)
    stored = StoredStudy("s", f"sqlite:///{folder.path / 'optuna.db'}", OBJECTIVES, folder.path)
    stored.use(*(sampler or (optuna.samplers.RandomSampler(seed=stored.trials_before()), GridSize())))
    folder.open(folder.record() or RECORD)
    try:
        StudyRun(sweep, config, BASE, folder, stored).to_the_end()
        return 0, stored, folder
    except SystemExit as ended:
        return ended.code, stored, folder


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
    assert "data_error: the Hub is away" in folder.result(0).message


def test_null_goes_on_and_a_study_in_which_nothing_completed_starts_over(tmp_path):
    away = Sweep(broken)
    assert start(tmp_path, away, limit="study.stop_after_same_failures=null")[0] == 1
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


@pytest.mark.parametrize(("state", "mended"), [(State.FAILED, True), (State.COMPLETE, False)])
def test_what_was_mended_is_no_change_where_nothing_came_to_an_answer(tmp_path, capsys, state, mended):
    folder = StudyFolder(tmp_path / "s")
    config = compose_trial("study.name=s", "train.lr=0.5")
    objectives = [Objective(name=o.name, direction=o.direction) for o in config.study.objectives]
    old = dataclasses.replace(RECORD, objectives=objectives, settings={"train.lr": 0.1})
    folder.open(old)
    reason = Reason.CRASHED if state is State.FAILED else None
    measured = Measurements(dict.fromkeys((o.name for o in objectives), 0.5))
    folder.take_over(0, "an attempt")
    folder.add(TrialResult(number=0, state=state, reason=reason, measurements=measured), "an attempt")
    sweep = object.__new__(StudySweep)
    sweep._space, sweep._sampler_settings = SPACE, {}
    record = sweep._record(config, folder)
    assert (record.settings.get("train.lr") == 0.5) == mended
    assert ("not comparable" in capsys.readouterr().err) != mended
    assert record.started == old.started


SAMPLERS = {
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
    "tpe": lambda: optuna.samplers.TPESampler(seed=0, multivariate=True, group=True, n_startup_trials=4),
    "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=0, population_size=4),
}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_what_the_rules_forbid_is_neither_run_nor_counted(tmp_path, name, n_jobs):
    sweep = Sweep(complete, forbids=lambda v: v["x"] != v["y"], n_jobs=n_jobs)
    status, stored, folder = start(tmp_path, sweep, total=6, sampler=(SAMPLERS[name](), GridSize()))
    assert status == 0
    assert len(sweep.ran) == 6
    assert all(values["x"] == values["y"] for values in sweep.ran)
    assert len(folder.results()) == 6
    assert len(stored.study.trials) > 6


def test_a_grid_ends_when_all_that_is_allowed_has_run(tmp_path):
    grid = build_grid(SPACE, BASE)
    sweep = Sweep(complete, forbids=lambda v: v["x"] == v["y"])
    sampler = (optuna.samplers.GridSampler(grid), GridSize(combinations=9))
    assert start(tmp_path, sweep, total=20, sampler=sampler)[0] == 0
    assert sorted((v["x"], v["y"]) for v in sweep.ran) == sorted(itertools.permutations((1, 2, 3), 2))


def test_a_sampler_that_insists_gives_way_to_chance(tmp_path, monkeypatch):
    class Insists(optuna.samplers.RandomSampler):
        def sample_independent(self, study, trial, name, distribution):
            return 1

    monkeypatch.setattr(loop, "MOST_TAUGHT", 2)
    sweep = Sweep(complete, forbids=lambda v: v["x"] == v["y"])
    assert start(tmp_path, sweep, total=2, sampler=(Insists(), GridSize()))[0] == 0
    assert len(sweep.ran) == 2
    assert all(values["x"] != values["y"] for values in sweep.ran)


def test_in_the_end_a_forbidden_one_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MOST_FORBIDDEN", 4)
    sweep = Sweep(lambda values: broken(values, f"no {len(sweep.ran)}"), forbids=lambda values: True)
    _, stored, _ = start(tmp_path, sweep, total=2)
    assert len(sweep.ran) == 2
    assert len(stored.study.trials) == 2 + 2 * 4
