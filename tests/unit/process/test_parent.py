"""A child may end in any way; the parent learns which, keeps what was measured, and leaves nothing running."""

import contextlib
import os
import pickle
from copy import deepcopy
from pathlib import Path

import psutil
import pytest

from terrasweep import process
from terrasweep.machine import startup
from terrasweep.machine.startup import START_METHOD
from terrasweep.process import parent
from terrasweep.process.parent import Limits
from terrasweep.process.relief import Relief
from terrasweep.results.states import Reason
from tests.composing import ROOT

FAULTS = "tests.unit.process.faults:"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))

    def call(task, limits=None, **arguments):
        return process.run(FAULTS + task, arguments, tmp_path / "log.txt", limits or Limits())

    return call


def test_reports_are_merged_in_order(run):
    outcome = run("answer", value=0.5)
    assert outcome.error is None
    assert outcome.reported["measurements"] == {"accuracy": 0.5, "train_loss": 1.0}


def test_each_report_is_heard_as_it_comes(run, tmp_path):
    heard = []
    process.run(
        FAULTS + "answer",
        {"value": 0.5},
        tmp_path / "log.txt",
        Limits(),
        hear=lambda report: heard.append(deepcopy(report)),
    )
    assert heard == [{"measurements": {"accuracy": 0.5}}, {"measurements": {"train_loss": 1.0}, "metrics": {"m": 2.0}}]


def test_sigkill_is_a_crash_that_keeps_what_was_measured(run):
    outcome = run("kill_itself")
    assert outcome.error.reason is Reason.CRASHED
    assert "SIGKILL" in str(outcome.error)
    assert outcome.reported["measurements"] == {"peak_build_mib": 5.0}


def test_a_sigkill_by_the_kernel_is_out_of_memory(run, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(parent, "out_of_memory_kills", lambda: next(counts))
    outcome = run("kill_itself")
    assert outcome.error.reason is Reason.OOM_HOST
    assert outcome.reported["measurements"] == {"peak_build_mib": 5.0}


def test_pressure_in_a_control_group_ends_a_child(run, monkeypatch):
    monkeypatch.setattr(parent, "available_host_memory_bytes", lambda: 2**20)
    assert run("hang").error.reason is Reason.OOM_HOST


def test_where_the_host_is_short_of_memory_one_trial_ends_at_a_time(run, monkeypatch, tmp_path):
    monkeypatch.setattr(parent, "available_host_memory_bytes", lambda: 2**20)
    monkeypatch.setattr(parent, "Relief", lambda: Relief(tmp_path / "relief"))
    another = Relief(tmp_path / "relief", started_ns=0)
    assert another.is_my_turn(short=True)
    assert run("hang", Limits(timeout_s=1)).error.reason is Reason.TIMEOUT, "it waits for the other's memory"
    another.give_back()
    assert run("hang", Limits(timeout_s=60)).error.reason is Reason.OOM_HOST
    assert Relief(tmp_path / "relief", started_ns=0).is_my_turn(short=True), "it is given back"


def test_leaving_without_an_answer_is_a_crash(run):
    assert "status 3" in str(run("leave").error)


def test_a_child_that_leaves_another_process_at_its_pipe_is_gone_all_the_same(run):
    outcome = run("leave_another_behind", Limits(timeout_s=100))
    assert "status 3" in str(outcome.error)
    below = outcome.reported["below"]
    with contextlib.suppress(psutil.NoSuchProcess):
        left = psutil.Process(below)
        assert psutil.wait_procs([left], timeout=10)[0] or left.status() == psutil.STATUS_ZOMBIE


def test_what_can_t_be_sent_to_a_child_is_raised_and_no_process_is_ended_for_it(run):
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        process.run(FAULTS + "answer", {"value": lambda: 1}, Path("/nowhere"), Limits(), start_method="spawn")


@pytest.mark.parametrize(
    ("code", "told"),
    [(None, "did not end"), (-11, "was ended by SIGSEGV"), (3, "left with status 3 and no answer")],
)
def test_how_a_child_ended_is_told_in_words(code, told):
    assert parent._how_it_ended(code) == told


def test_the_deadline_ends_a_child(run):
    outcome = run("hang", Limits(timeout_s=0.5))
    assert outcome.error.reason is Reason.TIMEOUT
    assert outcome.reported["measurements"] == {"peak_build_mib": 5.0}


def test_growth_beyond_the_host_limit_is_ended_and_known_by_how_much(run):
    outcome = run("grow", Limits(timeout_s=60, host_memory_bytes=300 * 2**20))
    assert outcome.error.reason is Reason.OOM_HOST
    assert 0 < outcome.error.violation < 3


@pytest.mark.parametrize(("kind", "reason"), [("device", Reason.OOM_DEVICE), ("host", Reason.OOM_HOST)])
def test_an_out_of_memory_is_found_behind_a_library_s_wrapping(run, kind, reason):
    assert run("raise_wrapped", kind=kind).error.reason is reason


def test_any_other_exception_is_a_crash_in_one_line(run):
    error = run("raise_wrapped", kind="plain").error
    assert error.reason is Reason.CRASHED
    assert "KeyError" in str(error)
    assert "\n" not in str(error)


def test_output_goes_to_the_log_and_no_grandchild_survives(run, tmp_path):
    outcome = run("print_and_fork")
    assert outcome.error is None
    log = (tmp_path / "log.txt").read_text()
    assert "heard on stdout" in log
    assert "heard on stderr" in log
    with contextlib.suppress(psutil.NoSuchProcess):  # It is gone, or nobody has asked for its end yet.
        below = psutil.Process(outcome.reported["below"])
        assert psutil.wait_procs([below], timeout=10)[0] or below.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["forkserver", "spawn"])
def test_workers_of_a_data_loader_are_forked_and_import_nothing_anew(run, monkeypatch, start_method):
    monkeypatch.setenv(START_METHOD, start_method)
    seen = run("read_by_workers").reported["metrics"]
    assert seen["above"] == [seen["pid"]]


def test_what_the_workers_of_a_data_loader_read_of_their_trial_counts_once(run):
    """Counted for each of the three, it would be over the budget."""
    held_mib = 256
    outcome = run("measure_growth_with_workers", Limits(host_memory_bytes=3 * held_mib * 2**20), mib=held_mib)
    assert outcome.error is None
    found = outcome.reported["metrics"]
    assert found["seen"] == [held_mib * 2**20 / 8 / 512]
    assert 0.9 * held_mib < found["grown"] / 2**20 < 2 * held_mib
    assert found["bound"] / 2**20 > 4 * held_mib, "the sum of what each maps"


@pytest.mark.slow
def test_a_fresh_interpreter_works_in_place_of_the_forkserver(run, monkeypatch):
    monkeypatch.setenv(START_METHOD, "spawn")
    assert run("answer", value=0.25).reported["measurements"]["accuracy"] == 0.25


@pytest.mark.slow
def test_where_the_preload_touched_cuda_the_fallback_is_taken_with_a_warning(run, monkeypatch):
    monkeypatch.setenv(START_METHOD, "forkserver")
    real = parent._run_once
    calls = []

    def first_call_finds_cuda_unusable(*arguments):
        calls.append(os.environ[START_METHOD])
        if len(calls) == 1:
            outcome = process.Outcome()
            outcome.reported["cuda_unusable"] = True
            return outcome
        return real(*arguments)

    monkeypatch.setattr(parent, "_run_once", first_call_finds_cuda_unusable)
    with pytest.warns(RuntimeWarning, match="fresh interpreter"):
        outcome = run("answer", value=0.75)
    assert calls == ["forkserver", "spawn"]
    assert outcome.reported["measurements"]["accuracy"] == 0.75


def test_a_child_with_an_interpreter_of_its_own_leaves_the_next_one_as_it_was(tmp_path, monkeypatch):
    monkeypatch.delenv(START_METHOD, raising=False)
    asked = []

    def once(task, arguments, log, limits, start_method, hear):
        asked.append(start_method or startup.start_method())
        return process.Outcome({"done": True})

    monkeypatch.setattr(parent, "_run_once", once)
    for start_method in ("spawn", None):
        process.run("a:task", {}, tmp_path / "log.txt", Limits(), start_method=start_method)
    assert asked == ["spawn", "forkserver"]


def test_a_failed_import_ahead_is_told_in_one_line_once(run, monkeypatch, capsys):
    parent._warn_of_slow_starts.cache_clear()
    monkeypatch.setattr(parent, "_run_once", lambda *_: process.Outcome({"done": True, "not_preloaded": "OSError: no"}))
    for _ in range(2):
        assert run("answer").reported == {"done": True}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the libraries can't be imported ahead")
    assert "OSError: no; mend" in line
