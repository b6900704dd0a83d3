"""The parent run of a study in MLflow: made once, found again by each start, also where the folder lost its record."""

from __future__ import annotations

import dataclasses
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from terrasweep.machine import paths, startup
from terrasweep.results.errors import first_line
from terrasweep.results.study_record import StudyRecord
from terrasweep.study.mlflow_store import open_client

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STUDY_TAG = "study"
STARTED_TAG = "study_started"
FOLDER_TAG = "study_folder"
"""Where the study's folder is, or was when it was last taken up."""
SPACE_TAGS = "space."
"""What precedes a searched key in the tag with its range; as a param it would stand among the trials' values."""


def open_parent(client: MlflowClient, experiment: str, record: StudyRecord) -> str:
    """The id of a study's parent run, which is found, or made where there is none."""
    # A study that was deleted and started over is another one, although it has the same name.
    same = f"{_of(record)} and tags.`{STARTED_TAG}` = '{record.started}'"
    found = client.search_runs([experiment], same, max_results=1, order_by=["attributes.start_time ASC"])
    folder = _folder(record)
    if found:
        run = found[0]
        client.update_run(run.info.run_id, status="RUNNING")
        if run.data.tags.get(FOLDER_TAG) != folder:
            client.set_tag(run.info.run_id, FOLDER_TAG, folder)
        return str(run.info.run_id)
    tags = {
        STUDY_TAG: record.name,
        STARTED_TAG: record.started,
        FOLDER_TAG: folder,
        "objectives": ", ".join(f"{o.direction} {o.name}" for o in record.objectives),
        "sampler": record.sampler,
        "git_commit": record.environment.get("commit", ""),
        **{SPACE_TAGS + allowed(key): text[:5000] for key, text in record.space.items()},
    }
    start = int(datetime.fromisoformat(record.started).timestamp() * 1000)
    return str(client.create_run(experiment, tags=tags, run_name=record.name, start_time=start).info.run_id)


def with_known_start(record: StudyRecord, uri: str) -> StudyRecord:
    """A record made anew for trials that are there, with the start that MLflow knows of the study in this folder.

    The start tells one study of a name from another: with a new one all trials would be logged again.
    """
    try:
        with startup.ask_mlflow_once():
            run = _newest(open_client(uri), record)
    except Exception as error:  # noqa: BLE001 - tracking may fail in any way, and ends no study
        reason = f"{type(error).__name__}: {first_line(error)}"
        print(f"warning: MLflow can't say whether it knows this study ({reason}); it is logged anew", file=sys.stderr)
        return record
    return record if run is None else dataclasses.replace(record, started=run.data.tags[STARTED_TAG])


def allowed(key: str) -> str:
    """A key without what MLflow forbids in names, like the ``+`` of an added group."""
    return re.sub(r"[^\w\-. :/]", "_", key.lstrip("+"))


def _newest(client: MlflowClient, record: StudyRecord) -> Run | None:
    """The parent run of the study that was last begun in the record's folder."""
    experiment = client.get_experiment_by_name(record.name)
    if experiment is None:
        return None
    newest = ["attributes.start_time DESC"]
    for run in client.search_runs([experiment.experiment_id], _of(record), max_results=100, order_by=newest):
        # An earlier version did not say the folder.
        if STARTED_TAG in run.data.tags and run.data.tags.get(FOLDER_TAG, _folder(record)) == _folder(record):
            found: Run = run
            return found
    return None


def _of(record: StudyRecord) -> str:
    return f"tags.`{STUDY_TAG}` = '{record.name}'"


def _folder(record: StudyRecord) -> str:
    return str(paths.results_folder(record.name))
