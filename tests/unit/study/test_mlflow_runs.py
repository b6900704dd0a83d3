"""MLflow: whatever a killed sweep left, every trial has one closed run with its numbers."""

import dataclasses
import http.server
import threading

import pytest
from mlflow import MlflowClient

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_runs


@pytest.fixture
def uri(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


RECORD = StudyRecord(
    name="study",
    n_trials=3,
    objectives=[Objective(name="accuracy", direction="maximize")],
    space={"+group": "choice(a,b)"},
    overrides=[],
    sampler="TPESampler",
    seed=0,
    storage="optuna.db",
    tracking_uri="",
    environment={},
    started="2026-01-01T00:00:00+00:00",
)


def result(number, **changes):
    fields = {
        "state": State.COMPLETE,
        "measurements": Measurements(accuracy=0.25 + number, train_loss=0.5),
        "metrics": {"val_IoU_bare soil (dry)": 0.5},
        "curves": {"train_loss": [(step, 1.0 / (step + 1)) for step in range(1500)]},
        "searched": {"+group": "a"},
        "config": {"train": {"lr": 0.1}},
    }
    return TrialResult(number=number, **{**fields, **changes})


def nested(uri):
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    return client, [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def test_a_trial_is_logged_once_with_its_whole_curve(uri):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log(result(0))
    tracker.log_missing([result(0)])
    client, (run,) = nested(uri)
    assert run.data.metrics["accuracy"] == 0.25
    assert run.data.params == {"group": "a"}
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == result(0).curves["train_loss"]


def test_a_restart_continues_the_parent_and_logs_what_is_missing(uri):
    mlflow_runs.StudyTracker(RECORD, uri).log(result(0))
    mlflow_runs.StudyTracker(RECORD, uri).log_missing([result(0), result(1)])
    runs = nested(uri)[1]
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1"]
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == 1


def test_a_study_that_is_started_over_has_a_parent_of_its_own(uri):
    mlflow_runs.StudyTracker(RECORD, uri).log(result(0))
    later = dataclasses.replace(RECORD, started="2026-01-02T00:00:00+00:00")
    mlflow_runs.StudyTracker(later, uri).log_missing([result(0)])
    assert len({run.data.tags["mlflow.parentRunId"] for run in nested(uri)[1]}) == 2


def test_a_run_that_a_dead_process_left_half_written_is_replaced(uri, monkeypatch):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_text", die)
        with pytest.raises(KeyboardInterrupt):
            tracker.log(result(0))
    (left,) = nested(uri)[1]
    assert left.info.status == "RUNNING"
    mlflow_runs.StudyTracker(RECORD, uri)
    assert len(nested(uri)[1]) == 1, "its process, this one, is alive"
    MlflowClient(uri).set_tag(left.info.run_id, "owner", "")
    mlflow_runs.StudyTracker(RECORD, uri).log_missing([result(0)])
    (run,) = nested(uri)[1]
    assert run.info.run_id != left.info.run_id
    assert run.info.status == "FINISHED"


def test_states_become_statuses_and_tags(uri):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log(result(0, state=State.INFEASIBLE, reason=Reason.TIMEOUT, curves={}, measurements=Measurements()))
    tracker.log(result(1, state=State.FAILED, reason=Reason.CRASHED))
    tracker.log(result(2, state=State.FAILED, reason=Reason.INTERRUPTED))
    found = {r.data.tags["trial_number"]: (r.data.tags["reason"], r.info.status) for r in nested(uri)[1]}
    assert found == {"0": ("timeout", "FINISHED"), "1": ("crashed", "FAILED"), "2": ("interrupted", "KILLED")}


def test_a_relative_store_lies_in_the_project(uri, tmp_path):
    assert mlflow_runs.absolute_uri("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert mlflow_runs.absolute_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert mlflow_runs.absolute_uri("http://host:5000") == "http://host:5000"


def test_a_server_of_another_kind_is_refused(uri):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(InvalidConfig, match="no MLflow server"):
            mlflow_runs.check_reachable(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(
    "bad", ["http://127.0.0.1:9", "postgresql://u:p@127.0.0.1:9/db", "sqlite:////no/x.db", "ftp://x"]
)
def test_an_unreachable_store_is_refused_in_one_line(bad, uri):
    with pytest.raises(InvalidConfig) as refused:
        mlflow_runs.check_reachable(bad)
    assert "\n" not in str(refused.value)
    mlflow_runs.check_reachable(uri)
