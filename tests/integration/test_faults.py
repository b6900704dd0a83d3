"""Faults in the middle of a sweep: it finishes, and each has its state and reason in CSV, Optuna and MLflow."""

import contextlib
import os
import signal

import psutil
import pytest

from tests.conftest import ROOT, SMALL, run_sweep, start_sweep
from tests.integration.study import OBJECTIVES, read_mlflow, read_optuna, read_results, read_rows, training, wait_for

pytestmark = pytest.mark.slow

ENDLESS = "train: {max_steps: 1000000}"
FAULTS = {
    # name: (what the configuration does, state, reason, state in Optuna)
    "a_none": ("train: {max_steps: 4}", "complete", "", "COMPLETE"),
    "b_late": (f"{ENDLESS}\nbudget: {{timeout_s: 6}}", "infeasible", "timeout", "PRUNED"),
    "c_large": (f"{ENDLESS}\nbudget: {{host_memory_gib: 0.05, gate: false}}", "infeasible", "oom_host", "PRUNED"),
    "d_over": ("budget: {memory_gib: 0.01, gate: false}", "infeasible", "over_budget", "PRUNED"),
    "e_nan": ("train: {lr: 1e30, max_steps: 1000}", "infeasible", "diverged", "PRUNED"),
    "f_raises": ("neck: {modules: [{name: SelectIndices, indices: [99]}]}", "failed", "crashed", "FAIL"),
    "g_killed": (ENDLESS, "failed", "crashed", "FAIL"),
    "h_none": ("train: {max_steps: 5}", "complete", "", "COMPLETE"),
}


def trial_processes(sweep):
    """The children that lead a process group of their own: the trials."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(sweep.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(child.pid) == child.pid:
                    found.append(child)
    return found


def test_each_way_to_die_has_its_state_and_reason_everywhere(home):
    (home / "faults").mkdir()
    for name, (settings, *_) in FAULTS.items():
        (home / "faults" / f"{name}.yaml").write_text(f"# @package _global_\n{settings}\n")
    study = home / "results" / "quickstart"
    sweep = start_sweep(
        home,
        "-m",
        f"+faults=choice({','.join(FAULTS)})",
        "hydra/sweeper/sampler=grid",
        "hydra.sweeper.sampler.seed=0",
        "quantization=none",
        "tuning.rank=2",
        "tuning.targets=mlp",
        "checkpointing=none",
        # Values on the command line would win over those of a group.
        *(override for override in SMALL if not override.startswith("train.max_steps")),
    )
    try:
        number = wait_for(lambda: _number_of_running(study, "g_killed"), sweep)
        wait_for(lambda: training(study, number[0]), sweep)
        trial_processes(sweep)[0].send_signal(signal.SIGKILL)
        out, err = sweep.communicate(timeout=400)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, (out, err)
    rows = {row["+faults"]: row for row in read_rows(study / "trials.csv")}
    in_optuna = {t.params["+faults"]: t for t in read_optuna(study)}
    in_mlflow = {run.data.params["faults"]: run for run in read_mlflow(home, "quickstart")[2]}
    assert rows.keys() == in_optuna.keys() == in_mlflow.keys() == FAULTS.keys()
    for name, (_, state, reason, optuna_state) in FAULTS.items():
        row, tags = rows[name], in_mlflow[name].data.tags
        assert (row["state"], row["reason"]) == (state, reason), name
        assert (tags["state"], tags.get("reason", "")) == (state, reason), name
        assert in_optuna[name].state.name == optuna_state, name
        assert in_optuna[name].user_attrs["reason"] == reason
        assert all((row[objective] == "") == (state != "complete") for objective in OBJECTIVES), name
    misses = {name: trial.constraints.get("miss") for name, trial in in_optuna.items()}
    assert misses["a_none"] == 0.0
    over = max(float(rows["d_over"][name] or 0) for name in ("peak_build_mib", "peak_memory_mib"))
    assert misses["d_over"] == pytest.approx(over / (0.01 * 1024) - 1)
    assert misses["b_late"] == misses["e_nan"] == 1.0
    # What a trial measured before it died stays.
    assert float(rows["g_killed"]["total_parameters"]) > 3e6
    assert float(rows["e_nan"]["peak_build_mib"]) > 0


def _number_of_running(study, fault):
    with contextlib.suppress(Exception):  # The database may be busy.
        if (
            study / "study.json"
        ).is_file():  # Before, its tables may be in the making, and Optuna would make them here.
            running = [t for t in read_optuna(study) if t.state.name == "RUNNING"]
            return [t.number for t in running if t.params.get("+faults") == fault]
    return []


THREE_TRIALS = ("-m", "study.n_trials=3", *SMALL, "train.max_steps=25")


def end_in_the_second_trial(home, how):
    """Start a sweep of three trials and end it by a signal while the second one trains."""
    sweep = start_sweep(home, *THREE_TRIALS)
    try:
        wait_for(lambda: training(home / "results" / "quickstart", 1), sweep)
        (trial,) = trial_processes(sweep)
        sweep.send_signal(how)
        sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    psutil.wait_procs([trial], timeout=10)
    assert not trial.is_running() or trial.status() == psutil.STATUS_ZOMBIE
    return sweep.returncode


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sweep_that_is_ended_goes_on_where_it_was(home, how):
    study = home / "results" / "quickstart"
    assert end_in_the_second_trial(home, how) == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    first = read_results(study)[0].to_json()

    finished = run_sweep(home, *THREE_TRIALS)
    assert finished.returncode == 0, finished.stderr
    results = read_results(study)
    interrupted = [n for n, r in results.items() if r.reason == "interrupted"]
    assert interrupted == [1]
    assert sorted(results) == [0, 1, 2, 3]
    assert results[0].to_json() == first
    assert results[2].searched == results[1].searched, "what was running runs again first"
    assert [t.state.name for t in read_optuna(study)] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    _, parents, nested = read_mlflow(home, "quickstart")
    assert (len(parents), len(nested)) == (1, 4)
    assert [row["reason"] for row in read_rows(study / "trials.csv")] == ["", "interrupted", "", ""]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP])
def test_no_process_outlives_its_sweep(home, how):
    """Whatever ends the sweep's own process alone: no trial trains on beside that of the next start."""
    sweep = start_sweep(home, "-m", "study.n_trials=1", *SMALL, "train.max_steps=1000000", "data.workers=1")
    try:
        wait_for(lambda: training(home / "results" / "quickstart", 0), sweep)
        family = psutil.Process(sweep.pid).children(recursive=True)
        sweep.send_signal(how)
        sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    assert sweep.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    _, left = psutil.wait_procs(family, timeout=10)
    assert [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    if how == signal.SIGHUP:
        assert [r.reason for r in read_results(home / "results" / "quickstart").values()] == ["interrupted"]


def test_a_cluster_s_signal_ends_a_sweep_as_ctrl_c_does(home):
    assert end_in_the_second_trial(home, signal.SIGTERM) == 130
    results = read_results(home / "results" / "quickstart")
    assert {number: result.reason for number, result in results.items()} == {0: None, 1: "interrupted"}


def test_a_sweep_in_which_nothing_completes_exits_with_1_and_still_reports(home):
    finished = run_sweep(home, "-m", "study.n_trials=2", "train.lr=1e30", *SMALL, "train.max_steps=1000")
    assert finished.returncode == 1
    study = home / "results" / "quickstart"
    assert {row["reason"] for row in read_rows(study / "trials.csv")} == {"diverged"}
    assert read_rows(study / "pareto.csv") == []
    assert (study / "report.html").is_file()


def test_an_unreadable_tile_is_a_data_error(home):
    run_sweep(home, *SMALL)
    tile = next((home / "results" / ".cache" / "synthetic").glob("*/train/images/*.tif"))
    tile.write_bytes(tile.read_bytes()[:100])
    finished = run_sweep(home, *SMALL)
    assert finished.returncode == 1
    assert "data_error" in finished.stdout


ON_A_FULL_DISK = """
import errno
from terrasweep.trial import attempt
written = attempt.write_atomically

def full(path, content):
    if path.name == "result.json" and path.parent.name == "1":
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    written(path, content)

attempt.write_atomically = full
"""


def test_a_full_disk_stops_a_sweep_in_a_line_and_the_same_command_goes_on(home, tmp_path):
    script = tmp_path / "full.py"
    script.write_text(ON_A_FULL_DISK + (ROOT / "sweep.py").read_text())
    arguments = ("-m", "study.n_trials=2", *SMALL)
    stopped = run_sweep(home, *arguments, script=script)
    study = home / "results" / "quickstart"
    assert stopped.returncode == 1
    prepared, line = stopped.stderr.strip().splitlines()
    assert prepared.startswith("Preparing once")
    assert line.startswith(f"{study / 'trials' / '1' / 'result.json'}: No space left on device: the sweep stopped")
    assert "the same command goes on" in line
    assert not [path.name for path in study.rglob(".*.json*")]
    first = read_results(study)[0].to_json()
    assert run_sweep(home, *arguments).returncode == 0
    results = read_results(study)
    assert results[0].to_json() == first
    assert sum(result.state == "complete" for result in results.values()) == 2


def test_a_reader_that_leaves_stops_no_sweep(home):
    sweep = start_sweep(home, "-m", "study.n_trials=3", *SMALL)
    try:
        assert sweep.stdout is not None
        assert sweep.stdout.readline()
        sweep.stdout.close()
        assert sweep.wait(timeout=400) == 0
    finally:
        sweep.kill()
    assert len(read_results(home / "results" / "quickstart")) == 3
