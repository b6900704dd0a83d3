"""A study of 40 trials that is killed wherever it may be: the next start runs what is missing, and nothing twice."""

import os
import re
import signal

import psutil
import pytest
import yaml

from tests.conftest import SMALL, run_sweep, start_sweep
from tests.integration.study import OBJECTIVES, read_mlflow, read_optuna, read_results, read_rows, wait_for
from tests.integration.test_faults import trial_processes
from tests.integration.test_reuse import results, undisturbed_costs

pytestmark = pytest.mark.slow

TOTAL = 40
STUDY = (
    *("-m", f"study.n_trials={TOTAL}", "hydra/sweeper/sampler=grid", "~search_spaces", "tuning.rank=2"),
    # Three rates diverge: what is known of them needs no measurement. Nothing depends on the timeout.
    *("train.lr=choice(0.003,1e30,1e31,1e32)", "checkpointing=choice(none,blocks)"),
    "budget.timeout_s=choice(1000,1001,1002,1003,1004)",
    *(*SMALL, "decoder=linear", "train.max_steps=40", "probe.steps=30", "train.count_flops=false"),
    *("study.baselines=default", "repeats.seeds=2", "confirm.rounds=2", "confirm.disturbed_again=0"),
)
ENDED = re.compile(
    r"^\[(?:(baseline|confirmation|repeat) )?\d+/\d+\] (?:trial )?(\S+)  (?:complete|infeasible)", re.MULTILINE
)
"""The line of a training that came to its end."""


def is_under_way(folder):
    """Whether a process trains there, for longer than until it diverges."""
    log = folder / "log.txt"
    begun = not (folder / "result.json").exists() and log.is_file() and "TPU available" in log.read_text()
    return begun and yaml.safe_load((folder / "config.yaml").read_text())["train"]["lr"] < 1


def second(study, kind):
    """The folder of a training or probe of this kind that is under way, once one has come to its end."""
    own = sorted((study / kind).glob("[a-z0-9]*"))
    if any((folder / "result.json").exists() for folder in own):
        return next(filter(is_under_way, own), None)
    return None


def kill_in(home, kind):
    """Start the study and kill it in the second training of a kind; its name, what had ended, and what was on disk."""
    study = home / "results" / "quickstart"
    sweep = start_sweep(home, *STUDY, own_group=True)
    try:
        folder = wait_for(lambda: second(study, kind), sweep, timeout_s=600)
        before = {file: file.read_bytes() for file in study.glob("*/*/result.json")}
        children = trial_processes(sweep)
        os.killpg(sweep.pid, signal.SIGKILL)
        out, _ = sweep.communicate(timeout=60)
    finally:
        sweep.kill()
    psutil.wait_procs(children, timeout=10)
    assert not (folder / "result.json").exists()
    return folder.name, ENDED.findall(out), before


def did_of(folder):
    """What a trial's process did, by its log; nothing where it was answered."""
    lines = (folder / "log.txt").read_text().splitlines()
    return [line.split()[0] for line in lines if line.startswith(("training for", "probing"))]


def check_books(home, study, interrupted):
    """Folder, table, Optuna and MLflow have each trial once, and tell the same of it."""
    found, rows, trials = read_results(study), read_rows(study / "trials.csv"), read_optuna(study)
    runs = [run.data for run in read_mlflow(home, "quickstart")[2]]
    logged_runs = {int(run.tags["trial_number"]): run for run in runs if "trial_number" in run.tags}
    numbers = list(range(TOTAL + 1))
    assert sorted(found) == [t.number for t in trials] == [int(r["number"]) for r in rows] == numbers
    assert sorted(logged_runs) == numbers
    for trial, row in zip(trials, rows, strict=True):
        result, run = found[trial.number], logged_runs[trial.number]
        assert row["state"] == run.tags["state"] == result.state
        assert row["reason"] == (result.reason or "")
        assert trial.state.name == {"complete": "COMPLETE", "infeasible": "PRUNED", "failed": "FAIL"}[result.state]
        assert (result.state == "failed") == (trial.number == interrupted)
        if result.state == "complete":
            values = result.objective_values(list(OBJECTIVES))
            assert trial.values == values == [float(row[name]) for name in OBJECTIVES]
            assert [run.metrics[name] for name in OBJECTIVES] == values
    trained = sorted(tags for run in runs if (tags := run.tags.get("training")))
    assert trained == sorted(f.parent.relative_to(study).as_posix() for f in study.glob("[br]*s/*/result.json"))
    assert len(runs) == len(numbers) + len(trained)


def test_what_was_killed_goes_on_with_nothing_done_twice(home):
    study = home / "results" / "quickstart"
    ended, kept = [], {}
    killed = {}
    for kind in ("baselines", "trials", "confirmations", "repeats"):
        killed[kind], told, before = kill_in(home, kind)
        assert {file: before[file] for file in kept} == kept, "what was done is left as it was"
        ended, kept = ended + told, before
    last = run_sweep(home, *STUDY)
    assert last.returncode == 0, last.stderr
    ended += ENDED.findall(last.stdout)
    assert {file: file.read_bytes() for file in kept} == kept

    interrupted = int(killed["trials"])
    check_books(home, study, interrupted)
    again = {
        ("baseline", killed["baselines"]),
        ("confirmation", killed["confirmations"]),
        ("repeat", killed["repeats"]),
    }
    assert again <= set(ended)
    assert len(ended) == len(set(ended)), "each came to its end once"
    known = {("" if f.parts[-3] == "trials" else f.parts[-3][:-1], f.parts[-2]) for f in study.glob("*/*/result.json")}
    assert set(ended) == known - {("", str(interrupted))}

    settled = [result for result in results(home, "quickstart") if result["number"] != interrupted]
    trained = [result for result in settled if not result["accuracy_from"]]
    assert len(trained) == len({result["quality_key"] for result in settled}) == 4, "one training for each"
    did = {n: done[0] for n in range(TOTAL + 1) if (done := did_of(study / "trials" / str(n)))}
    assert did.pop(interrupted) in ("training", "probing")
    assert [n for n, what in did.items() if what == "training"] == [r["number"] for r in trained]
    complete = [result for result in settled if result["state"] == "complete"]
    assert len(complete) == TOTAL / 4
    probed = [r["number"] for r in complete if r["accuracy_from"] and not r["cost_from"]]
    assert [n for n, what in did.items() if what == "probing"] == probed
    undisturbed_costs(complete)
    assert read_rows(study / "pareto.csv")
    assert "beside the baseline full: " in last.stdout
    assert "Beside the baseline lora: " in (study / "report.md").read_text()
