"""A study around trials that take no time and come to what a test says."""

import dataclasses

import optuna
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.folder import StudyFolder
from terrasweep.study.loop import StudyRun
from terrasweep.study.optuna_study import StoredStudy
from terrasweep.study.samplers import GridSize
from terrasweep.study.search_space import parse_space
from tests.composing import compose_trial
from tests.studies import study_record

BASE = OmegaConf.create({"hydra": {"runtime": {"choices": {}}}})
OBJECTIVES = [Objective(name="accuracy", direction="maximize")]
SPACE = parse_space({"x": "choice(1,2,3)", "y": "choice(1,2,3)"}, [])


class Sweep:
    """Runs trials by a function of their values, and forbids some."""

    n_jobs = 1
    launcher_name = "basic"
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


def complete(values):
    return TrialResult(number=0, state=State.COMPLETE, measurements=Measurements(accuracy=values["x"] / 10))


def broken(values, message="the Hub is away; use another"):
    return TrialResult(number=0, state=State.FAILED, reason=Reason.DATA_ERROR, message=message)


def start(tmp_path, sweep, total=6, sampler=None, limit=("study.stop_after_same_failures=3",)):
    """One start of the study; returns the exit status and the stored study."""
    folder = StudyFolder(tmp_path / "s")
    folder.path.mkdir(exist_ok=True)
    config = compose_trial("study.name=s", f"study.n_trials={total}", "study.test=false", *limit)
    stored = StoredStudy("s", f"sqlite:///{folder.path / 'optuna.db'}", OBJECTIVES, folder.path)
    stored.use(*(sampler or (optuna.samplers.RandomSampler(seed=stored.trials_before()), GridSize())))
    folder.open(folder.record() or study_record(name="s"))
    try:
        StudyRun(sweep, config, BASE, folder, stored).to_the_end()
        return 0, stored, folder
    except SystemExit as ended:
        return ended.code, stored, folder
