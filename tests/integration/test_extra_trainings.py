"""A study that is killed in a baseline, a confirmation or a repeat: the next start runs what is missing, once."""

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
    *("repeats.seeds=2", "confirm.rounds=2", "confirm.disturbed_again=0", "train.count_flops=false"),
)
ENDED = re.compile(r"^\[(?:(baseline|confirmation|repeat) )?\d+/\d+\] (\S+(?: \d+)?)  complete", re.MULTILINE)
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


def test_what_was_killed_beside_the_search_goes_on_with_nothing_done_twice(home):
    study = home / "results" / "quickstart"
    first, before = kill_in(home, "baselines/lora")
    assert first == [("baseline", "full")]
    full = before[study / "baselines" / "full" / "result.json"]
    second, before = kill_in(home, "confirmations/0-round2")
    assert second == [("baseline", "lora"), ("", "trial 0"), ("confirmation", "0-round1")]
    assert before[study / "baselines" / "full" / "result.json"] == full
    probe = before[study / "confirmations" / "0-round1" / "result.json"]
    third, before = kill_in(home, "repeats/0-seed2")
    assert third == [("confirmation", "0-round2"), ("repeat", "0-seed1")]
    assert before[study / "confirmations" / "0-round1" / "result.json"] == probe
    last = run_sweep(home, *STUDY)
    assert last.returncode == 0, last.stderr
    assert ENDED.findall(last.stdout) == [("repeat", "0-seed2")]
    assert {file: file.read_bytes() for file in before} == before

    assert "beside the baseline full: " in last.stdout
    assert "Beside the baseline lora: " in (study / "report.md").read_text()
    assert [trial.state.name for trial in read_optuna(study)] == ["COMPLETE"]
    assert list(read_results(study)) == [0]
    runs = [run.data.tags for run in read_mlflow(home, "quickstart")[2]]
    assert sorted(tags.get("training") or tags["trial_number"] for tags in runs) == [
        *("0", "baselines/full", "baselines/lora", "repeats/0-seed1", "repeats/0-seed2")
    ]
