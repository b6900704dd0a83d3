"""A study has one parent run in MLflow, whatever its folder has lost."""

import dataclasses

import pytest
from mlflow import MlflowClient

from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.mlflow_parent import FOLDER_TAG, STARTED_TAG, with_known_start
from terrasweep.study.mlflow_runs import StudyTracker
from tests.studies import study_record

RECORD = study_record()
NEW = study_record(started="2026-02-02T00:00:00.000+00:00")
"""The record as it is made where study.json and optuna.db are gone."""


@pytest.fixture
def uri(file):
    return f"sqlite:///{file}"


def runs(uri):
    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    parents = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return client, parents, [run for run in found if run not in parents]


def log(record, uri):
    StudyTracker(record, uri).log_missing([TrialResult(number=number, state=State.COMPLETE) for number in range(2)])


def test_a_record_made_anew_has_the_start_that_mlflow_knows_and_nothing_is_logged_twice(uri):
    log(RECORD, uri)
    again = with_known_start(NEW, uri)
    assert again == RECORD
    log(again, uri)
    _, parents, nested = runs(uri)
    assert (len(parents), len(nested)) == (1, 2)


def test_of_studies_that_were_started_over_the_last_one_is_meant(uri):
    later = dataclasses.replace(RECORD, started="2026-01-02T00:00:00.000+00:00")
    log(RECORD, uri)
    log(later, uri)
    assert with_known_start(NEW, uri).started == later.started


def test_a_study_of_another_folder_is_another_one(uri, tmp_path, monkeypatch):
    log(RECORD, uri)
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path / "elsewhere"))
    assert with_known_start(NEW, uri) == NEW
    assert with_known_start(dataclasses.replace(NEW, name="another"), uri).started == NEW.started


def test_a_parent_of_an_earlier_version_is_known_and_told_its_folder(uri, tmp_path):
    log(RECORD, uri)
    client, (parent,), _ = runs(uri)
    client.delete_tag(parent.info.run_id, FOLDER_TAG)
    assert with_known_start(NEW, uri) == RECORD
    StudyTracker(RECORD, uri)
    _, (parent,), _ = runs(uri)
    assert parent.data.tags[FOLDER_TAG] == str(tmp_path / "results" / "study")
    assert parent.data.tags[STARTED_TAG] == RECORD.started


def test_a_store_that_fails_is_a_line_and_the_study_begins(uri, monkeypatch, capsys):
    def fail(*_args, **_kwargs):
        raise ConnectionError("gone\nat length")

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", fail)
    assert with_known_start(NEW, uri) == NEW
    (line,) = capsys.readouterr().err.splitlines()
    assert "ConnectionError: gone" in line
