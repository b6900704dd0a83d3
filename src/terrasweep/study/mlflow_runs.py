"""What goes to MLflow: a nested run per trial, and the report at the study's parent run."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from terrasweep.machine import paths
from terrasweep.machine.locks import locked
from terrasweep.machine.process_identity import is_alive, this_process
from terrasweep.measure.accuracy import TEST_ACCURACY
from terrasweep.measure.catalog import NUMERIC_MEASUREMENTS
from terrasweep.results.comparison import Comparison
from terrasweep.results.errors import first_line
from terrasweep.results.extra_trainings import Role
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.mlflow_parent import allowed, open_parent
from terrasweep.study.mlflow_store import open_client, open_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

NUMBER_TAG = "trial_number"
ROLE_TAG = "role"
"""Of a training that is no trial: what it is for."""
NAME_TAG = "training"
"""Of a training that is no trial: its folder below the study's."""
OWNER_TAG = "owner"
"""The process that writes a run, so that nobody deletes a run that is still being written."""
STANDING_TAG = "front"
"""Where a trial stands: ``front``, ``tied with 3`` or ``beaten by 7``."""
ARTIFACTS = (
    *("report.html", "data.html", "report.md", "pareto.png", "pareto.svg", "trials.csv", "pareto.csv", "study.json"),
)
"""Files of a study that go to its parent run, where they are there."""
_BATCH = 1000
_STATUS = {State.COMPLETE: "FINISHED", State.INFEASIBLE: "FINISHED", State.PRUNED: "FINISHED", State.FAILED: "FAILED"}


class StudyTracker:
    """Writes a study and its trials to MLflow, beside other processes that do the same.

    Writing twice is harmless: what is there is asked of the store, under a lock, and not repeated.
    """

    def __init__(self, record: StudyRecord, uri: str) -> None:
        self._record = record
        self._client = open_client(uri)
        self._lock = paths.results_folder(record.name) / ".mlflow.lock"
        with locked(self._lock):
            self._experiment = open_experiment(self._client, record.name, uri)
            self._parent = open_parent(self._client, self._experiment, record)
            self._logged = self._finished_trials()

    def log_missing(self, results: Iterable[TrialResult]) -> None:
        """Log the trials that have no finished run yet, for example after a kill in between."""
        with locked(self._lock):
            self._logged = self._finished_trials()
        for result in results:
            if str(result.number) not in self._logged:
                self.log(result)

    def log(self, result: TrialResult) -> None:
        """Log a trial as a nested run, unless it has one: params, metrics, curves, resolved config and tags."""
        self._log(f"trial-{result.number:04d}", result, {NUMBER_TAG: str(result.number)})

    def log_extra(self, role: Role, name: str, result: TrialResult) -> None:
        """Log a training that is no trial in the same way, under its role and the name of its folder."""
        self._log(f"{role}-{name}", result, {NAME_TAG: f"{role.folder}/{name}", ROLE_TAG: str(role)})

    def _log(self, name: str, result: TrialResult, tags: dict[str, str]) -> None:
        """Log a run, unless there is one already that the first of its tags names."""
        key, value = next(iter(tags.items()))
        if key == NAME_TAG and value in self._logged:
            return
        with locked(self._lock):
            if value not in self._finished_trials(f" and tags.`{key}` = '{value}'"):
                _log_run(self._client, self._experiment, name, result, {"mlflow.parentRunId": self._parent, **tags})
        self._logged.add(value)

    def log_tests(self, results: Iterable[TrialResult]) -> None:
        """Add what the test split said to the runs of the trials that it was asked about."""
        for result in results:
            accuracy = result.value(TEST_ACCURACY.name)
            if accuracy is None or result.number is None:
                continue
            with locked(self._lock):
                for run in self._runs(f" and tags.`{NUMBER_TAG}` = '{result.number}'"):
                    if TEST_ACCURACY.name not in run.data.metrics:
                        self._client.log_metric(run.info.run_id, TEST_ACCURACY.name, accuracy)

    def log_estimates(self, results: Iterable[TrialResult], comparison: Comparison) -> None:
        """Write to each trial's run how sure its numbers are and where it stands, as far as that has changed.

        Both depend on all trials of the study, so that they are known when it ends.

        Args:
            results: The trials that were compared, in the comparison's order; one is taken when its run is next.
            comparison: The study's trials within their errors.
        """
        runs = {run.data.tags.get(NUMBER_TAG): run for run in self._runs("")}
        for place, result in enumerate(results):
            if (run := runs.get(str(result.number))) is not None:
                self._update(run, _known(comparison, place), comparison.standing_text(place))

    def _update(self, run: Run, known: dict[str, float], standing: str) -> None:
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        metrics = [Metric(name, v, now, 0) for name, v in known.items() if run.data.metrics.get(name) != v]
        tags = [RunTag(STANDING_TAG, standing)] if standing != run.data.tags.get(STANDING_TAG, "") else []
        if metrics or tags:
            with locked(self._lock):
                self._client.log_batch(run.info.run_id, metrics, tags=tags)

    def finish(self, folder: Path, summary: dict[str, float]) -> None:
        """Attach the report to the parent run and close it."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._parent, [Metric(name, value, now, 0) for name, value in summary.items()])
        for name in ARTIFACTS:
            if (folder / name).is_file():
                self._client.log_artifact(self._parent, str(folder / name))
        if (folder / "recommended").is_dir():
            self._client.log_artifacts(self._parent, str(folder / "recommended"), "recommended")
        self._client.set_terminated(self._parent)

    def _finished_trials(self, which: str = "") -> set[str]:
        """Numbers, or names, of the trainings whose runs are closed; half-written runs of a killed sweep are deleted.

        Args:
            which: A further condition in MLflow's language, with its ``and``.
        """
        closed: set[str] = set()
        for run in self._runs(which):
            self._keep_or_delete(run, closed)
        return closed

    def _runs(self, which: str) -> Iterator[Run]:
        """The nested runs of the study, with a further condition."""
        token: str | None = None
        while True:
            page: Any = self._client.search_runs(
                [self._experiment], f"tags.`mlflow.parentRunId` = '{self._parent}'{which}", page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _keep_or_delete(self, run: Run, closed: set[str]) -> None:
        number = run.data.tags.get(NUMBER_TAG) or run.data.tags.get(NAME_TAG, "")
        if number in closed or (run.info.status == "RUNNING" and not is_alive(run.data.tags.get(OWNER_TAG, ""))):
            self._client.delete_run(run.info.run_id)
        else:
            closed.add(number)


def log_single(result: TrialResult, uri: str) -> str:
    """Log a trial that belongs to no study to the experiment ``single``; it never fails.

    Returns:
        Why it could not be logged, in one line; empty where it was.
    """
    try:
        client = open_client(uri)
        with locked(paths.home() / "results" / ".mlflow" / ".single.lock"):
            experiment = open_experiment(client, paths.SINGLE_TRIALS, uri)
        _log_run(client, experiment, result.started, result, {})
    except Exception as error:  # noqa: BLE001 - tracking may fail in any way; the trial is trained and on disk
        return not_logged(error)
    return ""


def not_logged(error: BaseException) -> str:
    """That MLflow failed, as a part of one line."""
    return f"MLflow could not log it ({type(error).__name__}: {first_line(error)})"


def _log_run(client: MlflowClient, experiment: str, name: str, result: TrialResult, tags: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param

    ended = int(time.time() * 1000)
    started = ended - int(1000 * (result.value("wall_seconds") or 0))
    run = client.create_run(experiment, start_time=started, tags={**tags, **_tags(result)}, run_name=name)
    run_id = run.info.run_id
    metrics = []
    for key, value in _metrics(result).items():
        curve = result.curves.get(key)
        if curve is None:
            metrics.append(Metric(key, value, ended, 0))
        elif key in result.metrics and curve[-1][1] != value:  # Of the kept state, not the last.
            metrics.append(Metric(key, value, ended + 1, curve[-1][0]))
    # An estimate's steps are numbers of GPUs.
    for key, curve in {**result.curves, **result.plan}.items():
        metrics += [Metric(key, value, ended, step) for step, value in curve]
    params = [Param(allowed(key), str(value)) for key, value in result.searched.items()]
    client.log_batch(run_id, metrics[:_BATCH], params)
    for start in range(_BATCH, len(metrics), _BATCH):
        client.log_batch(run_id, metrics[start : start + _BATCH])
    client.log_text(run_id, yaml.safe_dump(result.config, sort_keys=False), "config.yaml")
    if result.confusion is not None:
        client.log_text(run_id, json.dumps(dataclasses.asdict(result.confusion)), "confusion.json")
    status = "KILLED" if result.reason is Reason.INTERRUPTED else _STATUS[result.state]
    client.set_terminated(run_id, status, ended)


def _metrics(result: TrialResult) -> dict[str, float]:
    """Every number of a trial under its own name; what is absent is not logged."""
    measured = {name: result.value(name) for name in NUMERIC_MEASUREMENTS}
    return {allowed(name): value for name, value in {**result.metrics, **measured}.items() if value is not None}


def _known(comparison: Comparison, place: int) -> dict[str, float]:
    """What is known of a trial's numbers whose errors are known, by the metrics' names."""
    known: dict[str, float] = {}
    for name, estimate in comparison.estimates[place].items():
        if estimate.low is not None and estimate.high is not None:
            ends = {"pooled": estimate.value, "low": estimate.low, "high": estimate.high}
            known |= {allowed(f"{name}_{what}"): value for what, value in ends.items()}
    return known


def _tags(result: TrialResult) -> dict[str, str]:
    tags = {
        NUMBER_TAG: "" if result.number is None else str(result.number),
        OWNER_TAG: this_process(),
        "state": str(result.state),
        "reason": str(result.reason or ""),
        "message": result.message[:5000],
        "device": result.device,
        "accuracy_name": result.accuracy_name or "",
        "git_commit": result.commit,
        "accuracy_from": result.accuracy_from,
        "cost_from": result.cost_from,
        "gate": result.gate,
        **{f"version.{package}": number for package, number in result.versions.items()},
    }
    return {name: value for name, value in tags.items() if value}
