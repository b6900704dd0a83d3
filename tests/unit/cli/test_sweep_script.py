"""Every way that sweep.py can end has its exit status and its line, and leaves nothing that it need not."""

import dataclasses
import os
import signal
from types import ModuleType, SimpleNamespace

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf, read_write

from terrasweep.cli import sweep_script
from terrasweep.cli.sweep_script import _status
from terrasweep.results.errors import (
    Crashed,
    DataError,
    DeviceOutOfMemory,
    HostOutOfMemory,
    InvalidConfig,
    SweepStopped,
)
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_runs, mlflow_store
from terrasweep.trial import check_models, prepare, run
from tests.composing import compose_all


@pytest.fixture
def started(monkeypatch, tmp_path, capsys):
    """Run ``start`` with a function in Hydra's place; the status, and both streams."""
    for name in ("TERRASWEEP_SHIPPED", "TERRASWEEP_HOME", "HYDRA_FULL_ERROR"):
        monkeypatch.setenv(name, "set, so that it is restored")
        monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)

    def run(main):
        with pytest.raises(SystemExit) as end:
            sweep_script.start(main, str(tmp_path / "sweep.py"))
        return end.value.code, *capsys.readouterr()

    yield run
    signal.signal(signal.SIGTERM, before)


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (InvalidConfig("a=1: wrong; use 2\nb=3: wrong; use 4"), 2, "a=1: wrong; use 2\nb=3: wrong; use 4"),
        (HydraException("Ambiguous value"), 2, "Ambiguous value"),
        (OSError(13, "Permission denied", "/results"), 2, "/results: Permission denied"),
        (OSError("no space"), 2, "file system: no space"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here"),
    ],
)
def test_every_end_has_its_status_and_its_line(started, error, status, told):
    assert started(raising(error)) == (status, "", f"{told}\n")


def test_an_end_without_an_error_is_0(started):
    assert started(lambda: None) == (0, "", "")


def test_what_hydra_raises_as_a_plain_error_is_bad_input(started):
    source = "def refuse():\n    raise ValueError('no such mode')\n"
    module = ModuleType("hydra.of_this_test")
    exec(compile(source, "hydra.py", "exec"), module.__dict__)  # noqa: S102 - the source is the test's own
    assert started(module.refuse) == (2, "", "no such mode\n")


def test_a_request_to_end_is_treated_as_ctrl_c(started):
    def main():
        signal.raise_signal(signal.SIGTERM)

    assert started(main)[0] == 130


@pytest.mark.parametrize(("before", "status"), [(signal.SIG_DFL, 130), (signal.SIG_IGN, 0)], ids=["plain", "nohup"])
def test_a_closed_terminal_ends_a_sweep_unless_it_was_started_to_outlive_it(started, before, status):
    restored = signal.signal(signal.SIGHUP, before)
    try:
        assert started(lambda: signal.raise_signal(signal.SIGHUP))[0] == status
    finally:
        signal.signal(signal.SIGHUP, restored)


def test_the_traceback_is_shown_to_whoever_asks_for_it(started, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    status, _, told = started(raising(InvalidConfig("a=1: wrong; use 2")))
    assert status == 2
    assert "Traceback" in told
    assert told.endswith("a=1: wrong; use 2\n")


def test_the_project_is_where_the_script_lies_unless_it_is_said(started, monkeypatch, tmp_path):
    seen = []

    def look():
        seen.append((os.environ["TERRASWEEP_HOME"], os.environ["TERRASWEEP_SHIPPED"]))

    started(look)
    monkeypatch.setenv("TERRASWEEP_HOME", "/elsewhere")
    started(look)
    assert seen == [(str(tmp_path), str(tmp_path)), ("/elsewhere", str(tmp_path))]


@pytest.fixture
def job(home, monkeypatch, capsys):
    """A single trial whose process and store are left out; what it would be, and what was logged."""
    folder = home / "results" / "single" / "2026" / "trial"
    folder.mkdir(parents=True)
    complete = TrialResult(number=None, state=State.COMPLETE, measurements=Measurements(accuracy=0.123456789012))
    calls = SimpleNamespace(folder=folder, result=complete, logged=[], refused=None)

    def check_data(config):
        if calls.refused:
            raise calls.refused

    def log_single(result, uri):
        calls.logged.append(result)
        return ""

    monkeypatch.setattr(mlflow_store, "check_reachable", lambda uri: None)
    monkeypatch.setattr(mlflow_store, "prepare", lambda uri: None)
    monkeypatch.setattr(mlflow_runs, "log_single", log_single)
    monkeypatch.setattr(prepare, "check_backbone", lambda config: None)
    monkeypatch.setattr(prepare, "check_data", check_data)
    monkeypatch.setattr(run, "run_trial", lambda config, folder: calls.result)

    def start(*overrides, mode=RunMode.RUN):
        config = compose_all(["backbone.checkpoint=null", *overrides])
        with read_write(config.hydra):
            config.hydra.mode, config.hydra.runtime.output_dir = mode, str(folder)
        HydraConfig.instance().set_config(config)
        keys = [str(key) for key in config if key != "hydra"]
        return sweep_script.run_job(OmegaConf.masked_copy(config, keys))

    calls.start = start
    return calls


@pytest.mark.slow
def test_a_single_trial_is_printed_logged_and_decides_the_status(job, capsys):
    with pytest.raises(SystemExit) as end:
        job.start()
    assert end.value.code == 0
    assert job.logged == [job.result]
    assert capsys.readouterr().out == f"state: complete\naccuracy: 0.123456789\nfolder: {job.folder}\n"


def test_a_single_trial_that_does_not_complete_says_why_and_ends_with_1(job, capsys):
    job.result = TrialResult(number=None, state=State.INFEASIBLE, reason=Reason.TIMEOUT, message="too slow")
    with pytest.raises(SystemExit) as end:
        job.start()
    assert end.value.code == 1
    assert capsys.readouterr().out.startswith("state: infeasible (timeout: too slow)\n")
    assert job.logged == [job.result]


def test_a_single_trial_that_is_refused_leaves_no_folder(job, capsys):
    job.refused = InvalidConfig("data.root=/x: no; give another")
    (job.folder.parents[1] / "another").mkdir()
    with pytest.raises(SystemExit) as end:
        job.start()
    assert end.value.code == 2
    assert capsys.readouterr().err == "data.root=/x: no; give another\n"
    assert [path.name for path in job.folder.parents[1].iterdir()] == ["another"]
    assert job.logged == []


def test_what_is_already_in_a_refused_trial_s_folder_stays(job):
    (job.folder / "notes.txt").touch()
    with pytest.raises(SystemExit):
        job.start("tuning.rank=0")
    assert (job.folder / "notes.txt").exists()


def test_what_a_complete_trial_has_to_say_is_a_warning_beside_its_numbers(job, monkeypatch, capsys):
    monkeypatch.setattr(check_models, "check_models", lambda looks: None)
    job.result = dataclasses.replace(job.result, message="its weights are not saved: no space")
    with pytest.raises(SystemExit) as end:
        job.start()
    assert end.value.code == 0
    out, err = capsys.readouterr()
    assert "warning" not in out
    assert err == "warning: its weights are not saved: no space\n"


def test_a_single_trial_whose_result_can_t_be_written_says_that_it_is_lost(job, monkeypatch):
    def full(config, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(check_models, "check_models", lambda looks: None)
    monkeypatch.setattr(run, "run_trial", full)
    with pytest.raises(SweepStopped) as told:
        job.start()
    assert str(told.value) == f"{job.folder}: No space left on device: the trial's result is lost; run it again"
    assert job.logged == []


def test_under_the_sweeper_the_result_goes_back_to_it(job):
    assert job.start(mode=RunMode.MULTIRUN) is job.result
    assert job.logged == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidConfig("train.lr=-1: it must be above 0"), 2),
        (HostOutOfMemory("a look at the data can't be prepared"), 1),
        (DeviceOutOfMemory("synthetic tiles can't be prepared"), 1),
        (DataError("a look at the data can't be prepared"), 1),
        (Crashed("the backbones can't be listed"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_known_end_is_one_line(error, status, capsys):
    def main():
        raise error

    assert _status(main, show_traceback=False) == status
    assert capsys.readouterr().err == f"{error}\n"
