"""MLflow: one experiment and one parent run per study, one nested run per trial. The only MLflow import."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import yaml

from terrasweep.machine import paths, startup
from terrasweep.machine.process_identity import is_alive, this_process
from terrasweep.measure.catalog import NUMERIC_MEASUREMENTS
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STUDY_TAG = "study"
STARTED_TAG = "study_started"
NUMBER_TAG = "trial_number"
OWNER_TAG = "owner"
"""The process that writes a run, so that nobody deletes a run that is still being written."""
_BATCH = 1000
_STATUS = {State.COMPLETE: "FINISHED", State.INFEASIBLE: "FINISHED", State.PRUNED: "FINISHED", State.FAILED: "FAILED"}
_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


def absolute_uri(uri: str) -> str:
    """The tracking URI with a relative SQLite path made absolute below the project's root."""
    scheme, separator, path = uri.partition(":///")
    if scheme.startswith("sqlite") and separator and not path.startswith("/"):
        return f"{scheme}:///{paths.home() / path}"
    return uri


def check_reachable(uri: str, *, timeout_s: float = 5.0) -> None:
    """See within seconds that a tracking store can be used, without writing to it.

    Raises:
        InvalidConfig: The scheme is unknown to MLflow, no server answers, or a SQLite file can't be made.
    """
    way_out = "start the server, or use tracking.uri=sqlite:///mlflow.db"
    parsed = urlparse(absolute_uri(uri))
    scheme = parsed.scheme.split("+")[0]
    if scheme == "sqlite":
        path = Path(absolute_uri(uri).partition(":///")[2].split("?")[0])
        folder = path.parent
        if folder == paths.home() and not folder.exists():
            folder = folder.parent  # The study makes its root.
        if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK) or path.is_dir():
            raise InvalidConfig(f"tracking.uri={uri}: {path} can't be written; use a file in an existing folder")
    elif scheme in _DEFAULT_PORTS:
        try:
            address = (parsed.hostname or "", parsed.port or _DEFAULT_PORTS[scheme])
            socket.create_connection(address, timeout=timeout_s).close()
        except (OSError, ValueError) as error:
            raise InvalidConfig(f"tracking.uri={uri}: no server answers ({error}); {way_out}") from error
        if scheme in ("http", "https"):
            _check_server(uri, way_out)
    elif scheme not in ("databricks", "uc"):
        raise InvalidConfig(f"tracking.uri={uri}: MLflow has no store of this kind; {way_out}")


class StudyTracker:
    """Writes a study and its trials to MLflow. Writing twice is harmless: a run that is there is not repeated."""

    def __init__(self, record: StudyRecord, uri: str) -> None:
        self._record = record
        self._client = _client(uri)
        self._experiment = _open_experiment(self._client, record.name, uri)
        self._parent = self._open_parent()
        self._logged = self._finished_trials()

    def log_missing(self, results: Iterable[TrialResult]) -> None:
        """Log the trials that have no finished run yet, for example after a kill in between."""
        for result in results:
            if result.number not in self._logged:
                self.log(result)

    def log(self, result: TrialResult) -> None:
        """Log one trial as a nested run: params, metrics, curves, resolved config and tags."""
        name = f"trial-{result.number:04d}" if result.number is not None else result.started
        _log_run(self._client, self._experiment, name, result, {"mlflow.parentRunId": self._parent})
        if result.number is not None:
            self._logged.add(result.number)

    def finish(self, folder: Path, summary: dict[str, float]) -> None:
        """Attach the report to the parent run and close it."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._parent, [Metric(name, value, now, 0) for name, value in summary.items()])
        for name in ("report.html", "report.md", "pareto.png", "pareto.svg", "trials.csv", "pareto.csv", "study.json"):
            if (folder / name).is_file():
                self._client.log_artifact(self._parent, str(folder / name))
        if (folder / "recommended").is_dir():
            self._client.log_artifacts(self._parent, str(folder / "recommended"), "recommended")
        self._client.set_terminated(self._parent)

    def _open_parent(self) -> str:
        name = self._record.name
        # A study that was deleted and started over is another one, although it has the same name.
        same = f"tags.`{STUDY_TAG}` = '{name}' and tags.`{STARTED_TAG}` = '{self._record.started}'"
        found = self._client.search_runs([self._experiment], same, max_results=1)
        if found:
            self._client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        objectives = ", ".join(f"{o.direction} {o.name}" for o in self._record.objectives)
        tags = {
            STUDY_TAG: name,
            STARTED_TAG: self._record.started,
            "objectives": objectives,
            "sampler": self._record.sampler,
            "git_commit": self._record.environment.get("commit", ""),
        }
        start = int(datetime.fromisoformat(self._record.started).timestamp() * 1000)
        run = self._client.create_run(self._experiment, tags=tags, run_name=name, start_time=start)
        for key, text in self._record.space.items():
            self._client.log_param(run.info.run_id, _allowed(key), text[:500])
        return str(run.info.run_id)

    def _finished_trials(self) -> set[int]:
        """Numbers of the trials whose runs are closed; half-written runs of a killed sweep are deleted."""
        closed: set[int] = set()
        token: str | None = None
        while True:
            page: Any = self._client.search_runs(
                [self._experiment], f"tags.`mlflow.parentRunId` = '{self._parent}'", page_token=token
            )
            for run in page:
                self._keep_or_delete(run, closed)
            token = page.token
            if not token:
                return closed

    def _keep_or_delete(self, run: Run, closed: set[int]) -> None:
        number = int(run.data.tags.get(NUMBER_TAG, "-1"))
        if number in closed or (run.info.status == "RUNNING" and not is_alive(run.data.tags.get(OWNER_TAG, ""))):
            self._client.delete_run(run.info.run_id)
        else:
            closed.add(number)


def _check_server(uri: str, way_out: str) -> None:
    """See that what listens there is an MLflow server."""
    try:
        with startup.ask_mlflow_once():
            _client(uri).search_experiments(max_results=1)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidConfig(f"tracking.uri={uri}: it is no MLflow server ({reason}); {way_out}") from error


def log_single(result: TrialResult, uri: str) -> None:
    """Log a trial that belongs to no study to the experiment ``single``."""
    client = _client(uri)
    experiment = _open_experiment(client, paths.SINGLE_TRIALS, uri)
    _log_run(client, experiment, result.started, result, {})


def _client(uri: str) -> MlflowClient:
    startup.quiet_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=absolute_uri(uri))


def _open_experiment(client: MlflowClient, name: str, uri: str) -> str:
    existing = client.get_experiment_by_name(name)
    if existing is not None:
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return str(existing.experiment_id)
    # A local store would put artifacts into ./mlruns of the working directory; a server knows its own place.
    local = absolute_uri(uri).startswith("sqlite")
    folder = paths.home() / "results" / ".mlflow" / name
    return str(client.create_experiment(name, artifact_location=folder.as_uri() if local else None))


def _log_run(client: MlflowClient, experiment: str, name: str, result: TrialResult, tags: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param

    ended = int(time.time() * 1000)
    started = ended - int(1000 * (result.value("wall_seconds") or 0))
    run = client.create_run(experiment, start_time=started, tags={**tags, **_tags(result)}, run_name=name)
    run_id = run.info.run_id
    single = {key: value for key, value in _metrics(result).items() if key not in result.curves}
    metrics = [Metric(key, value, ended, 0) for key, value in single.items()]
    # An estimate's steps are numbers of GPUs.
    for key, curve in {**result.curves, **result.plan}.items():
        metrics += [Metric(key, value, ended, step) for step, value in curve]
    params = [Param(_allowed(key), str(value)) for key, value in result.searched.items()]
    client.log_batch(run_id, metrics[:_BATCH], params)
    for start in range(_BATCH, len(metrics), _BATCH):
        client.log_batch(run_id, metrics[start : start + _BATCH])
    client.log_text(run_id, yaml.safe_dump(result.config, sort_keys=False), "config.yaml")
    status = "KILLED" if result.reason is Reason.INTERRUPTED else _STATUS[result.state]
    client.set_terminated(run_id, status, ended)


def _allowed(key: str) -> str:
    """A key without what MLflow forbids in names, like the ``+`` of an added group."""
    return re.sub(r"[^\w\-. :/]", "_", key.lstrip("+"))


def _metrics(result: TrialResult) -> dict[str, float]:
    """Every number of a trial under its own name; what is absent is not logged."""
    measured = {name: result.value(name) for name in NUMERIC_MEASUREMENTS}
    return {_allowed(name): value for name, value in {**result.metrics, **measured}.items() if value is not None}


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
        **{f"version.{package}": number for package, number in result.versions.items()},
    }
    return {name: value for name, value in tags.items() if value}
