"""How the tests read what a study left."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import optuna
from mlflow import MlflowClient

from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult

OBJECTIVES = {"accuracy": 1, "throughput_samples_per_s": 1, "peak_memory_mib": -1}
"""Name to sign: what is to be maximized, and what minimized."""


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def read_results(study: Path) -> dict[int, TrialResult]:
    files = study.glob("trials/*/result.json")
    return {int(f.parent.name): TrialResult.from_json(f.read_text()) for f in files}


def read_record(study: Path) -> StudyRecord:
    return StudyRecord.from_json((study / "study.json").read_text())


def read_optuna(study: Path) -> list[optuna.trial.FrozenTrial]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.load_study(study_name=study.name, storage=f"sqlite:///{study / 'optuna.db'}").trials


def read_mlflow(home: Path, experiment: str):
    """The parent runs and the nested runs of a study's experiment."""
    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id], max_results=1000)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return client, parents, nested


def check_front(study: Path) -> None:
    """Every complete trial stands somewhere, ``pareto.csv`` is the front, and what is off it has its reason."""
    rows = {row["number"]: row for row in read_rows(study / "trials.csv")}
    front = [row for row in rows.values() if row["front"] == "front"]
    assert read_rows(study / "pareto.csv") == front
    assert bool(front) == any(row["state"] == "complete" for row in rows.values())
    for row in rows.values():
        place, _, other = row["front"].rpartition(" ")
        assert bool(row["front"]) == (row["state"] == "complete")
        if place == "tied with":
            assert rows[other]["front"] == "front"
        elif place == "beaten by":
            gains = [sign * (pooled(rows[other], name) - pooled(row, name)) for name, sign in OBJECTIVES.items()]
            assert max(gains) > 0


def pooled(row: dict[str, str], name: str) -> float:
    """An objective's value as trials are compared by it."""
    return float(row[f"{name}_pooled"])


def training(study: Path, number: int) -> bool:
    """Whether a trial's log shows that Lightning has started."""
    log = study / "trials" / str(number) / "log.txt"
    return log.is_file() and "TPU available" in log.read_text()


def wait_for(condition, sweep, timeout_s=240):
    """What a condition gives, once it gives something, while a sweep runs."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and sweep.poll() is None:
        if found := condition():
            return found
        time.sleep(0.1)
    sweep.kill()
    raise AssertionError(f"it did not come to that: {sweep.communicate()}")
