"""The outermost doors: whatever is raised, the process ends in a line with a status, and a traceback is kept."""

import signal
import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf, read_write

from terrasweep.cli import app, sweep_script
from terrasweep.results.errors import Crashed, InvalidConfig, SweepStopped
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_runs, mlflow_store
from terrasweep.trial import prepare, run
from tests.composing import compose_all

SECRET = "geheim7"  # noqa: S105 - what the tests look for


@pytest.fixture(autouse=True)
def restored(home, monkeypatch):
    """What the doors set for a process as a whole."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    for name in ("TERRASWEEP_SHIPPED", "HYDRA_FULL_ERROR"):
        monkeypatch.setenv(name, "set, so that it is restored")
        monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(params=["sweep.py", "terrasweep"])
def ended(request, monkeypatch, capsys):
    """How a door ends when what is behind it raises: the status, and the standard error."""

    def run(error):
        def behind():
            raise error

        monkeypatch.setattr(app, "app", behind)
        with pytest.raises(SystemExit) as end:
            app.main() if request.param == "terrasweep" else sweep_script.start(behind, "/w/sweep.py")
        return end.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "error",
    [ValueError("of our own"), FloatingPointError(), RuntimeError(f"two\nlines and http://me:{SECRET}@host")],
)
def test_an_unexpected_error_is_one_line_that_names_its_traceback(home, ended, error):
    status, told = ended(error)
    assert status == 1
    (line,) = told.splitlines()
    assert line.startswith(f"unexpected error: {type(error).__name__}: ")
    text = Path(line.rpartition(" ")[2]).read_text()
    assert f"{type(error).__name__}" in text
    assert "in behind" in text
    assert SECRET not in line + text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("a=1: wrong; use 2", "a=1: wrong; use 2\n"),
        (f"tracking.uri=http://me:{SECRET}@host: no", "tracking.uri=http://me:***@host: no\n"),
    ],
)
def test_what_is_the_users_is_one_line_with_2(home, ended, said, told):
    assert ended(InvalidConfig(said)) == (2, told)
    assert not (home / "results").exists()


def test_the_traceback_is_shown_too_to_whoever_asks_for_it(ended, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    status, told = ended(ValueError("of our own"))
    assert status == 1
    assert told.startswith("Traceback")
    assert "unexpected error: " in told.splitlines()[-1]


def test_a_sweep_that_the_machine_stopped_ends_with_1_and_without_a_traceback(home, capsys):
    def behind():
        raise SweepStopped("/results: No space left on device: the sweep stopped")

    with pytest.raises(SystemExit) as end:
        sweep_script.start(behind, "/w/sweep.py")
    assert (end.value.code, capsys.readouterr().err) == (1, "/results: No space left on device: the sweep stopped\n")
    assert not (home / "results").exists()


def test_a_command_that_fails_for_a_known_reason_ends_with_1(monkeypatch, capsys):
    def behind():
        raise Crashed("the child was ended")

    monkeypatch.setattr(app, "app", behind)
    with pytest.raises(SystemExit) as end:
        app.main()
    assert (end.value.code, capsys.readouterr().err) == (1, "the child was ended\n")


def test_a_single_trial_that_mlflow_fails_to_log_keeps_its_status(home, monkeypatch, capsys):
    def failing(*_):
        raise RuntimeError(f"http://me:{SECRET}@host is gone\nand more")

    result = TrialResult(number=None, state=State.COMPLETE, measurements=Measurements(accuracy=0.5))
    for module, name, function in (
        *((mlflow_store, "check_reachable", lambda uri: None), (mlflow_store, "prepare", lambda uri: None)),
        (mlflow_runs, "open_client", failing),
        *((prepare, "check_backbone", lambda config: None), (prepare, "check_data", lambda config: None)),
        (run, "run_trial", lambda config, folder: result),
    ):
        monkeypatch.setattr(module, name, function)
    config = compose_all(["backbone.checkpoint=null"])
    with read_write(config.hydra):
        config.hydra.mode, config.hydra.runtime.output_dir = RunMode.RUN, str(home)
    HydraConfig.instance().set_config(config)
    with pytest.raises(SystemExit) as end:
        sweep_script.run_job(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    out, err = capsys.readouterr()
    assert end.value.code == 0
    assert "accuracy: 0.5" in out
    (line,) = err.splitlines()
    assert line.startswith("MLflow could not log it (RuntimeError: http://me:***@host is gone); ")
