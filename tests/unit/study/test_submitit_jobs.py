"""Of a batch in which jobs are killed the others are waited for, and their results count."""

import importlib
import sys
import types

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.launch import NotLaunched, outcome_of
from terrasweep.study.submitit_jobs import each_job_by_itself
from tests.unit.study.instant_trials import Sweep, complete, start

pytestmark = pytest.mark.usefixtures("untracked")

SLURM = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"}


class UncompletedJobError(RuntimeError):
    """What submitit raises for a job without a result."""


class Job:
    """A job that was run, or killed, when it is asked for its results."""

    def __init__(self, run, *arguments):
        self._run, self._arguments = run, arguments

    def results(self):
        return [self._run(*self._arguments)]


class AutoExecutor:
    """submitit's, as its launchers use it."""

    def __init__(self, folder, cluster):
        self.folder, self.cluster = folder, cluster

    def map_array(self, run, *columns):
        return [Job(run, *arguments) for arguments in zip(*columns, strict=True)]


@pytest.fixture
def submitit(monkeypatch):
    module = types.ModuleType("submitit")
    module.AutoExecutor = AutoExecutor
    monkeypatch.setitem(sys.modules, "submitit", module)
    return module


def launch(run, count):
    """What hydra-submitit-launcher does with a batch."""
    submitit = importlib.import_module("submitit")
    executor = submitit.AutoExecutor(folder="f", cluster="slurm")
    assert (executor.folder, executor.cluster) == ("f", "slurm")
    jobs = executor.map_array(run, range(count))
    return [job.results()[0] for job in jobs]


class SlurmSweep(Sweep):
    """Runs its trials as jobs, of which some are killed."""

    def __init__(self, folder, killed, n_jobs):
        super().__init__(complete, n_jobs=n_jobs)
        self._folder, self._killed = folder, killed

    def launch(self, trials, values, attempt):
        def run(index):
            number = trials[index].number
            if self._killed.get(number) == "queued":
                raise UncompletedJobError("Job was preempted\nlong log")
            begun = self._folder / "trials" / str(number)
            (begun / "config.yaml").write_text("{}")
            if self._killed.get(number) == "running":
                raise UncompletedJobError("Job not requeued because: timed-out.\nlong log")
            returned = JobReturn(status=JobStatus.COMPLETED)
            returned.return_value = TrialResult(number=number, state=State.COMPLETE, measurements={"accuracy": 0.5})
            return returned

        with each_job_by_itself(SLURM):
            return launch(run, len(trials))


def test_the_first_job_that_is_killed_takes_nothing_from_the_others(tmp_path, submitit):
    sweep = SlurmSweep(tmp_path / "s", {0: "running", 2: "queued"}, n_jobs=4)
    status, stored, folder = start(tmp_path, sweep, total=5)
    assert (status, stored.remaining(5)) == (0, 0)
    results = {result.number: result for result in folder.results()}
    assert [results[number].state for number in range(4)] == ["failed", "complete", "failed", "complete"]
    assert results[0].reason is Reason.CRASHED
    assert results[0].message == "UncompletedJobError: Job not requeued because: timed-out."
    assert results[2].reason is Reason.INTERRUPTED, "what never began is no trial"
    assert len(results) == 6
    assert submitit.AutoExecutor is AutoExecutor


def test_a_batch_of_which_no_job_began_stops_the_study(tmp_path, submitit, capsys):
    sweep = SlurmSweep(tmp_path / "s", dict.fromkeys(range(9), "queued"), n_jobs=2)
    status, _, folder = start(tmp_path, sweep, total=5)
    assert status == 1
    assert [result.reason for result in folder.results()] == [Reason.INTERRUPTED] * 2
    assert "UncompletedJobError: Job was preempted" in capsys.readouterr().err


def test_other_launchers_and_what_submitting_raises_are_left_alone(submitit):
    with each_job_by_itself(OmegaConf.create({"_target_": "hydra_plugins.x.JoblibLauncher"})):
        assert submitit.AutoExecutor is AutoExecutor
    with pytest.raises(FileNotFoundError), each_job_by_itself(SLURM):
        raise FileNotFoundError("sbatch")
    assert submitit.AutoExecutor is AutoExecutor


def test_a_job_s_error_is_the_outcome_of_its_trial(submitit):
    def fail(_):
        raise UncompletedJobError("gone")

    with each_job_by_itself(SLURM):
        (job,) = launch(fail, 1)
    assert isinstance(outcome_of(job), NotLaunched)
