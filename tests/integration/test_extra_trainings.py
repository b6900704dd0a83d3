"""A study that is killed in a baseline, and in a repeat of its front: the next start trains what is missing, once."""

import re
import signal

import psutil
import pytest

from tests.conftest import SMALL, run_sweep, start_sweep
from tests.integration.study import read_mlflow, read_optuna, read_results, wait_for
from tests.integration.test_faults import trial_processes

pytestmark = pytest.mark.slow

STUDY = (
    *("-m", "study.n_trials=1", "quantization=none", "checkpointing=none", "tuning.targets=mlp"),
    *("tuning.rank=choice(2,4)", *SMALL, "train.max_steps=25", "study.baselines=default"),
    *("repeats.seeds=2", "train.count_flops=false"),
)
ENDED = re.compile(r"^\[(?:(baseline|repeat) )?\d+/\d+\] (\S+(?: \d+)?)  complete", re.MULTILINE)
"""The line of a training that came to its end."""


def kill_in(home, folder):
    """Start the study and kill it while a training runs; what came to an end before, and what was on disk then."""
    study = home / "results" / "quickstart"
    sweep = start_sweep(home, *STUDY)
    try:
        log = study / folder / "log.txt"
        wait_for(lambda: log.is_file() and "TPU available" in log.read_text(), sweep)
        before = {file: file.read_bytes() for file in study.glob("*/*/result.json")}
        children = trial_processes(sweep)
        sweep.send_signal(signal.SIGKILL)
        out, _ = sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    psutil.wait_procs(children, timeout=10)
    assert not (study / folder / "result.json").exists()
    return ENDED.findall(out), before


def test_what_was_killed_in_a_baseline_and_in_a_repeat_goes_on_with_nothing_done_twice(home):
    study = home / "results" / "quickstart"
    first, before = kill_in(home, "baselines/lora")
    assert first == [("baseline", "full")]
    full = before[study / "baselines" / "full" / "result.json"]
    second, before = kill_in(home, "repeats/0-seed2")
    assert second == [("baseline", "lora"), ("", "trial 0"), ("repeat", "0-seed1")]
    assert before[study / "baselines" / "full" / "result.json"] == full
    third = run_sweep(home, *STUDY)
    assert third.returncode == 0, third.stderr
    assert ENDED.findall(third.stdout) == [("repeat", "0-seed2")]
    assert {file: file.read_bytes() for file in before} == before

    assert "beside the baseline full: " in third.stdout
    assert "Beside the baseline lora: " in (study / "report.md").read_text()
    assert [trial.state.name for trial in read_optuna(study)] == ["COMPLETE"]
    assert list(read_results(study)) == [0]
    runs = [run.data.tags for run in read_mlflow(home, "quickstart")[2]]
    assert sorted(tags.get("training") or tags["trial_number"] for tags in runs) == [
        *("0", "baselines/full", "baselines/lora", "repeats/0-seed1", "repeats/0-seed2")
    ]
