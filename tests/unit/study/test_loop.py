"""A sweep beside others: a launcher that fails, a trial that another process has ended, a storage that fails."""

import dataclasses
import sqlite3

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from terrasweep.config.compose import composed_trial
from terrasweep.machine.locks import Lease
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import loop, optuna_storage, reconcile
from terrasweep.study.folder import StudyFolder
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_restore import make_orphan
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.orphans import take_orphans
from terrasweep.study.search_space import parse_space
from terrasweep.trial.attempt import write_result
from tests.composing import compose_all, compose_trial
from tests.studies import NoTracker, study_record
from tests.unit.study.test_reconcile import OBJECTIVES

BASE = OmegaConf.create({"hydra": {"launcher": {}}})


class Job:
    """What Hydra's launcher returns of a trial that came to an end."""

    def __init__(self, result):
        self.return_value = result


class Sweep:
    """Launches trials that do what a test wants."""

    n_jobs = 1
    launcher_name = "basic"
    space = parse_space({"tuning.rank": "choice(2,4)"}, [])

    def __init__(self, during):
        self._during = during

    def find_violations(self, values):
        return []

    def launch(self, trials, values, attempt):
        self._during(trials[0], attempt)
        measured = Measurements(accuracy=0.5, peak_memory_mib=10.0)
        return [Job(TrialResult(number=t.number, state=State.COMPLETE, measurements=measured)) for t in trials]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "BackgroundTracker", NoTracker)
    monkeypatch.setattr("terrasweep.report.write_report", lambda *_: None)
    return tmp_path / "s"


def open_study(path):
    path.mkdir(exist_ok=True)
    folder = StudyFolder(path)
    stored = StoredStudy("s", f"sqlite:///{path / 'optuna.db'}", OBJECTIVES, path)
    folder.open(study_record(name="s", objectives=OBJECTIVES, n_trials=2))
    return folder, stored


class SweepWithoutProbes(Sweep):
    """Its trials could be probed again, by a launcher that is gone by then."""

    def launch(self, trials, values, attempt):
        config = {"train": {"seed": 0}}
        jobs = super().launch(trials, values, attempt)
        return [Job(dataclasses.replace(job.return_value, config=config)) for job in jobs]

    def launch_extra(self, trainings, attempt):
        raise ConnectionError("no cluster")


def start(path, during, *overrides, sweep=Sweep):
    folder, stored = open_study(path)
    config = compose_trial("study.n_trials=2", "study.test=false", *overrides)
    StudyRun(sweep(during), config, BASE, folder, stored).to_the_end()
    return folder, stored


def test_a_trial_that_another_process_has_ended_is_no_crash_and_its_result_is_kept_aside(home, capsys):
    def take_it_away(trial, _):
        if trial.number == 0:
            folder, stored = open_study(home)
            trial.set_user_attr("owner", "")  # As if this process were gone.
            (orphan,) = take_orphans(stored)
            assert folder.trials.take_over(orphan.number, "another") is None
            lost = TrialResult(number=0, state=State.FAILED, reason=Reason.INTERRUPTED)
            assert folder.add(lost, "another")
            assert stored.tell(orphan, lost)

    folder, stored = start(home, take_it_away)
    assert [r.state for r in folder.results()] == ["failed", "complete", "complete"], "two of two count"
    assert [t.state.name for t in stored.trials()] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert len(list(home.glob("trials/0/result.late-*.json"))) == 1
    assert len([line for line in capsys.readouterr().err.splitlines() if "trial 0" in line]) == 1


def test_a_launcher_that_is_gone_when_the_front_is_confirmed_is_one_line_beside_a_report(home, monkeypatch, capsys):
    written = []
    monkeypatch.setattr("terrasweep.report.write_report", lambda *_: written.append(1))
    with pytest.raises(SystemExit) as ended:
        start(home, lambda *_: None, sweep=SweepWithoutProbes)
    assert (ended.value.code, written) == (1, [1])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "launcher" in line]
    assert "ConnectionError: no cluster" in line


def test_a_round_of_probes_that_another_process_is_at_work_on_is_left_to_it(home):
    leases = []
    for name in ("0-round1", "1-round1"):
        (home / "confirmations" / name).mkdir(parents=True)
        leases.append(Lease(home / "confirmations" / name / ".lease"))
        assert leases[-1].take()
    folder, _ = start(home, lambda *_: None, sweep=SweepWithoutProbes)
    assert [r.state for r in folder.results()] == ["complete", "complete"]


def test_a_worker_that_outlives_its_sweep_changes_nothing_that_was_settled(home):
    """The sweep dies in its first trial; the next start settles it; then the worker comes to its end."""
    late = []

    def die(trial, attempt):
        trial.set_user_attr("owner", "")
        late.append(attempt)
        raise SystemExit(9)

    with pytest.raises(SystemExit):
        start(home, die)
    folder, stored = start(home, lambda *_: None)
    before = [result.to_json() for result in folder.results()]
    measured = TrialResult(number=0, state=State.COMPLETE, measurements=Measurements(accuracy=0.9))
    assert not write_result(home / "trials" / "0", measured, late[0])
    assert [result.to_json() for result in StudyFolder(home).results()] == before
    assert [t.state.name for t in stored.trials()] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_a_result_under_the_number_of_a_new_trial_is_another_one_s_and_stays(home):
    other = TrialResult(number=0, state=State.COMPLETE, measurements=Measurements(accuracy=0.9, peak_memory_mib=1.0))
    (home / "trials" / "0").mkdir(parents=True)
    (home / "trials" / "0" / "result.json").write_text(other.to_json())
    folder, stored = start(home, lambda *_: None)
    assert folder.trials.result(0) == other
    assert [t.state.name for t in stored.trials()] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_a_database_that_stays_locked_is_one_line_and_the_next_start_goes_on(home, monkeypatch, capsys):
    monkeypatch.setattr(optuna_storage, "LOCKED_S", 0.05)
    held = []

    def lock(trial, _):
        if trial.number == 1:
            open_connection = sqlite3.connect(home / "optuna.db")
            open_connection.execute("BEGIN IMMEDIATE")
            held.append(open_connection)

    with pytest.raises(SystemExit) as ended:
        start(home, lock)
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert "database is locked" in out
    assert "Traceback" not in out + err
    held[0].rollback()
    held[0].close()
    _, stored = open_study(home)
    make_orphan(stored, 1)
    for trial in stored.trials():
        if trial.state.name == "RUNNING":
            stored.storage.set_trial_user_attr(stored.trial_id(trial.number), "owner", "")
    folder, stored = start(home, lambda *_: None)
    assert [r.state for r in folder.results()] == ["complete", "complete"], "what was measured counts"
    assert [t.state.name for t in stored.trials()] == ["COMPLETE", "COMPLETE"]


def test_a_trial_on_a_machine_out_of_sight_is_said_and_taken_by_takeover_alone(home, capsys):
    _, stored = open_study(home)
    (trial,) = stored.ask(1, 2)
    trial.set_user_attr("owner", f"{'0' * 8}-{'1' * 8}-7-7@node7")
    start(home, lambda *_: None)
    assert "trial 0 runs on node7" in capsys.readouterr().out
    assert [t.state.name for t in stored.trials()] == ["RUNNING", "COMPLETE"]
    start(home, lambda *_: None, "study.takeover=true")
    assert [t.state.name for t in stored.trials()] == ["FAIL", "COMPLETE", "COMPLETE"]
    assert reconcile.reconcile(*open_study(home)) == []


class SweepThatLaunches:
    """A sweep whose launcher does what a test says."""

    def __init__(self, launch, n_jobs=1):
        self.launcher_name = "basic"
        self.n_jobs, self.space = n_jobs, parse_space({}, ["tuning.rank=choice(2,4,8,16)"])
        self._launch = launch
        self.launches = 0

    def find_violations(self, values):
        return []

    def launch(self, trials, values, attempt):
        self.launches += 1
        return self._launch(trials)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """One start of a study of three trials."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(loop, "BackgroundTracker", NoTracker)
    monkeypatch.setattr("terrasweep.report.write_report", lambda *_: None)
    folder = StudyFolder(tmp_path / "results" / "s")
    folder.path.mkdir(parents=True)

    def start(launch, n_jobs=1, overrides=("study.test=false",)):
        base = compose_all(["backbone.checkpoint=null", "study.name=s", "study.n_trials=3", *overrides])
        config = composed_trial(base)
        record = study_record(name="s", objectives=OBJECTIVES)
        stored = StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", OBJECTIVES, folder.path)
        folder.open(record)
        sweep = SweepThatLaunches(launch, n_jobs)
        try:
            StudyRun(sweep, config, base, folder, stored).to_the_end()
        except SystemExit as ended:
            return sweep, folder, ended.code
        return sweep, folder, 0

    return start


def unreachable(trials):
    raise ConnectionError("Could not find any running Ray instance")


def works(trials):
    return [
        JobReturn(
            status=JobStatus.COMPLETED,
            _return_value=TrialResult(
                number=trial.number,
                state=State.COMPLETE,
                measurements=Measurements(accuracy=0.5, peak_memory_mib=10.0),
            ),
        )
        for trial in trials
    ]


def begin(folder, trial):
    begun = folder / "trials" / str(trial.number)
    begun.mkdir(parents=True, exist_ok=True)
    (begun / "config.yaml").write_text("{}")


def reasons(folder):
    return [result.reason for result in folder.results()]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_launcher_that_can_t_start_costs_no_trial(run, capsys, n_jobs):
    sweep, folder, status = run(unreachable, n_jobs)
    assert (sweep.launches, status) == (1, 1)
    assert reasons(folder) == [Reason.INTERRUPTED] * n_jobs
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "launcher" in line]
    assert "ConnectionError: Could not find any running Ray instance" in line
    log = folder.path / "launch-error.log"
    assert str(log) in line
    assert "Traceback" in log.read_text()

    sweep, folder, status = run(works, n_jobs)
    assert status == 0
    assert sorted(str(r.state) for r in folder.results()) == ["complete"] * 3 + ["failed"] * n_jobs
    lost = [r.searched for r in folder.results() if r.reason is Reason.INTERRUPTED]
    assert all(searched in [r.searched for r in folder.results() if r.state is State.COMPLETE] for searched in lost)


def test_a_trial_that_had_begun_is_one_that_crashed(run, tmp_path):
    def dies_with_the_first(trials):
        if trials[0].number == 0:
            begin(tmp_path / "results" / "s", trials[0])
            raise RuntimeError("a worker was killed")
        return works(trials)

    _, folder, status = run(dies_with_the_first, 2)
    assert status == 0
    assert reasons(folder)[:2] == [Reason.CRASHED, Reason.INTERRUPTED]
    assert sum(r.state is State.COMPLETE for r in folder.results()) == 2


@pytest.mark.parametrize("here", [True, False])
def test_probes_of_the_front_have_this_machine_to_themselves(run, monkeypatch, here):
    """However many trials run at a time; on other machines each job has its own."""
    asked = []

    class Recorded:
        def __init__(self, *_):
            pass

        def run(self, trainings, **how):
            asked.append(([str(each.role) for each in trainings], how))

    monkeypatch.setattr(loop, "ExtraTrainings", Recorded)
    monkeypatch.setattr(loop, "runs_here", lambda _: here)
    assert run(works_as({"train": {"seed": 0}}), 2)[2] == 0
    assert asked == [(["confirmation"] * 3, {"one_by_one": here})]


def works_as(config):
    """Trials that were run with a configuration."""

    def launch(trials):
        jobs = works(trials)
        for job in jobs:
            job.return_value = dataclasses.replace(job.return_value, config=config)
        return jobs

    return launch


@pytest.mark.parametrize("keep", ["front", "none"])
def test_weights_that_are_gone_of_what_is_recommended_are_said(run, capsys, keep):
    config = {"train": {"seed": 0, "save_weights": True}, "study": {"keep_weights": keep}}
    assert run(works_as(config), overrides=("study.test=false", "confirm.rounds=0"))[2] == 0
    out = " ".join(capsys.readouterr().out.split())
    assert ("is recommended, and its weights went" in out) == (keep == "front")
    assert ("terrasweep export s 0 trains it again" in out) == (keep == "front")


@pytest.fixture
def asked(monkeypatch):
    """The states of the study's trials each time the test split is asked."""
    calls = []

    def ask(folder, say, *, asked_for):
        calls.append([r.state for r in folder.results()])
        return True

    monkeypatch.setattr(loop, "run_final_tests", ask)
    return calls


def test_the_test_split_is_asked_once_when_all_trials_have_ended(run, asked):
    _, _, status = run(works, overrides=())
    assert (status, asked) == (0, [[State.COMPLETE] * 3])


def test_the_test_split_is_not_asked_where_the_study_says_so(run, asked):
    assert run(works)[2] == 0
    assert asked == []


def test_the_test_split_is_not_asked_while_trials_run_or_are_missing(run, asked, tmp_path):
    def stops(trials):
        if trials[0].number == 1:
            raise KeyboardInterrupt
        return works(trials)

    with pytest.raises(KeyboardInterrupt):
        run(stops, overrides=())
    assert run(unreachable, overrides=())[2] == 1
    stored = StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", OBJECTIVES, tmp_path)
    (elsewhere,) = stored.ask(1, 3)
    elsewhere.set_user_attr("owner", f"{'0' * 8}-{'1' * 8}-7-7@node7")
    assert run(works, overrides=())[2] == 0
    assert asked == [], "a process that can't be seen still works on a trial"
    assert run(works, overrides=("study.takeover=true",))[2] == 0
    assert len(asked) == 1


def test_ctrl_c_during_the_tests_still_leaves_a_report(run, monkeypatch):
    written = []
    monkeypatch.setattr("terrasweep.report.write_report", lambda *_: written.append(1))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "run_final_tests", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(works, overrides=())
    assert written == [1]


def test_trials_that_ran_on_other_machines_are_not_tested_on_this_one_unasked(run, asked, monkeypatch, capsys):
    monkeypatch.setattr(loop, "runs_here", lambda _: False)
    assert run(works, overrides=())[2] == 0
    assert asked == []
    assert "terrasweep test s measures the recommended ones" in " ".join(capsys.readouterr().out.split())


def test_a_torn_result_of_a_launch_that_failed_is_no_answer(run, tmp_path):
    def tears(trials):
        if trials[0].number == 0:
            begin(tmp_path / "results" / "s", trials[0])
            (tmp_path / "results" / "s" / "trials" / "0" / "result.json").write_text('{"number": 0, "st')
            raise RuntimeError("a worker was killed")
        return works(trials)

    _, folder, status = run(tears, 1)
    assert status == 0
    assert folder.trials.result(0).reason is Reason.CRASHED


def test_what_mlflow_lacks_is_said_after_each_batch_and_at_the_end(home, monkeypatch, capsys):
    class Away(NoTracker):
        def trouble(self):
            return "MLflow is away"

        def finish(self, *_):
            return "2 trials are not in MLflow"

    monkeypatch.setattr(loop, "BackgroundTracker", Away)
    start(home, lambda *_: None)
    out = capsys.readouterr().out
    assert out.count("MLflow is away\n") == 2
    assert out.count("2 trials are not in MLflow\n") == 1
