"""A launch that never began a trial is no trial: the sweep stops at the first, and asks for it again."""

import pytest
from hydra.core.utils import JobReturn, JobStatus

from terrasweep.config.compose import composed_trial
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.search_space import parse_space
from tests.composing import compose_all

OBJECTIVES = [Objective(name="accuracy", direction="maximize")]


class Sweep:
    """A sweep whose launcher does what a test says."""

    def __init__(self, launch, n_jobs=1):
        self.n_jobs, self.space = n_jobs, parse_space({}, ["tuning.rank=choice(2,4,8,16)"])
        self._launch = launch
        self.launches = 0

    def launch(self, trials, values):
        self.launches += 1
        return self._launch(trials)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """One start of a study of three trials."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr("terrasweep.study.loop.mlflow_runs.StudyTracker", lambda *_: Silent())
    monkeypatch.setattr("terrasweep.report.write_report", lambda *_: None)
    folder = StudyFolder(tmp_path / "results" / "s")
    folder.path.mkdir(parents=True)

    def start(launch, n_jobs=1):
        base = compose_all(["backbone.checkpoint=null", "study.name=s", "study.n_trials=3"])
        config = composed_trial(base)
        record = StudyRecord(
            name="s",
            n_trials=3,
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
        stored = StoredStudy("s", f"sqlite:///{tmp_path / 'optuna.db'}", OBJECTIVES, folder.path)
        sweep = Sweep(launch, n_jobs)
        try:
            StudyRun(sweep, config, base, record, folder, stored).to_the_end()
        except SystemExit as ended:
            return sweep, folder, ended.code
        return sweep, folder, 0

    return start


class Silent:
    def log(self, *_):
        pass

    log_missing = finish = log


def unreachable(trials):
    raise ConnectionError("Could not find any running Ray instance")


def works(trials):
    return [
        JobReturn(
            status=JobStatus.COMPLETED,
            _return_value=TrialResult(
                number=trial.number, state=State.COMPLETE, measurements=Measurements(accuracy=0.5)
            ),
        )
        for trial in trials
    ]


def begin(folder, trial):
    begun = folder / "trials" / str(trial.number)
    begun.mkdir(parents=True)
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
