"""Whatever becomes of a launched trial is a result, or one of the ways that a trial can end."""

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from optuna.exceptions import StorageInternalError

from terrasweep.results.errors import DataError, Interrupted
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.launch import NotLaunched, as_terrasweep_error, launch, outcome_of
from tests.unit.study.instant_trials import Sweep, complete

RESULT = TrialResult(number=0, state=State.COMPLETE)


def job(returned):
    failed = isinstance(returned, BaseException)
    return JobReturn(status=JobStatus.FAILED if failed else JobStatus.COMPLETED, _return_value=returned)


def test_a_job_is_its_result_or_what_it_raised_and_nothing_is_printed(capsys):
    error = ValueError("no")
    assert outcome_of(job(RESULT)) is RESULT
    assert outcome_of(job(error)) is error
    assert isinstance(outcome_of(job(None)), TypeError)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (DataError("no tiles"), Reason.DATA_ERROR, "no tiles"),
        (KeyboardInterrupt(), Reason.INTERRUPTED, "interrupted"),
        (StorageInternalError("locked"), Reason.INTERRUPTED, "interrupted"),
        (HydraException("Could not override 'x'\nat length"), Reason.INVALID_CONFIG, "Could not override 'x'"),
        (NotLaunched("Ray is away"), Reason.CRASHED, "Ray is away"),
        (ZeroDivisionError("by\nzero"), Reason.CRASHED, "ZeroDivisionError: by"),
    ],
)
def test_an_error_is_one_of_the_ways_a_trial_ends(error, reason, message):
    known = as_terrasweep_error(error)
    assert known.reason is reason
    assert message in str(known)
    assert "\n" not in str(known)


class Launches(Sweep):
    def __init__(self, does):
        super().__init__(complete)
        self._does = does

    def launch(self, trials, values, attempt):
        return self._does()


def fail(error):
    raise error


def test_a_launcher_that_fails_is_named_with_its_log(tmp_path):
    log = tmp_path / "launch-error.log"
    with pytest.raises(NotLaunched, match=r"^hydra/launcher=basic: OSError: no sbatch; see .*launch-error\.log"):
        launch(Launches(lambda: fail(OSError("no sbatch"))), [], [], "a", log)
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("error", [Interrupted("settled"), HydraException("no such option")])
def test_what_is_no_defect_of_the_launcher_goes_on_as_it_is(tmp_path, error):
    with pytest.raises(type(error)):
        launch(Launches(lambda: fail(error)), [], [], "a", tmp_path / "log")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("lost", [1, 2])
def test_a_batch_of_which_every_job_was_lost_was_not_launched(tmp_path, lost):
    jobs = [job(NotLaunched("gone"))] * lost + [job(RESULT)] * (2 - lost)
    sweep = Launches(lambda: jobs)
    if lost == 2:
        with pytest.raises(NotLaunched, match="gone"):
            launch(sweep, [], [], "a", tmp_path / "log")
    else:
        assert launch(sweep, [], [], "a", tmp_path / "log") is jobs
