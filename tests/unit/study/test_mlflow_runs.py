"""MLflow: whatever a killed sweep left, every trial has one closed run with its numbers."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from terrasweep.results.comparison import compare
from terrasweep.results.confusion import Confusion
from terrasweep.results.extra_trainings import Role
from terrasweep.results.measurements import Measurements
from terrasweep.results.states import Reason, State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_runs
from tests.composing import ROOT
from tests.studies import study_record


@pytest.fixture
def uri(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


RECORD = study_record(space={"+group": "choice(a,b)"})


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


def test_a_metric_is_that_of_the_kept_state_and_its_curve_stays_whole(uri):
    curve = [(10, 0.25), (20, 0.75), (30, 0.5)]
    mlflow_runs.StudyTracker(RECORD, uri).log(result(0, metrics={"val_f1": 0.75}, curves={"val_f1": curve}))
    client, (run,) = nested(uri)
    assert run.data.metrics["val_f1"] == 0.75
    history = sorted(client.get_metric_history(run.info.run_id, "val_f1"), key=lambda m: (m.step, m.timestamp))
    assert [(m.step, m.value) for m in history] == [*curve, (30, 0.75)]


def test_the_confusion_is_an_artifact_of_its_trial(uri):
    confusion = Confusion(task="segmentation", classes=["land", "water"], counts=[[12, 0], [3, 40]])
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log(result(0, curves={}, confusion=confusion))
    tracker.log(result(1, curves={}))
    client, runs = nested(uri)
    stored = {run.data.tags["trial_number"]: run.info.run_id for run in runs}
    text = Path(client.download_artifacts(stored["0"], "confusion.json")).read_text()
    assert json.loads(text) == dataclasses.asdict(confusion)
    assert [artifact.path for artifact in client.list_artifacts(stored["1"])] == ["config.yaml"]


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


def test_ranges_are_tags_and_no_value_among_the_trials_own(uri):
    mlflow_runs.StudyTracker(RECORD, uri)
    client = MlflowClient(uri)
    (parent,) = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    assert parent.data.params == {}
    assert parent.data.tags["space.group"] == "choice(a,b)"


def test_processes_that_share_a_study_log_each_trial_once(uri):
    first, second = (mlflow_runs.StudyTracker(RECORD, uri) for _ in range(2))
    for tracker in (first, second):
        for number in range(3):
            tracker.log(result(number, curves={}))
    second.log(result(3, curves={}))
    first.log_missing([result(number, curves={}) for number in range(5)])
    runs = nested(uri)[1]
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1", "2", "3", "4"]
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == 1


TOGETHER = """
import sys
from terrasweep.study import mlflow_runs
from tests.unit.study.test_mlflow_runs import RECORD, result
tracker = mlflow_runs.StudyTracker(RECORD, sys.argv[1])
tracker.log_missing([result(number, curves={}) for number in range(4)])
"""


@pytest.mark.slow
def test_processes_that_start_together_on_a_fresh_root_make_one_parent_and_one_run_per_trial(uri):
    command = [sys.executable, "-c", TOGETHER, uri]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 3
    client, runs = nested(uri)
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1", "2", "3"]
    assert len(client.search_runs([client.get_experiment_by_name("study").experiment_id])) == 5


def test_trainings_that_are_no_trials_have_a_run_each_by_their_role_and_folder(uri):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    plain = dataclasses.replace(result(0, curves={}), number=None)
    for role, name in [(Role.BASELINE, "full"), (Role.BASELINE, "lora"), (Role.REPEAT, "0-seed1")]:
        tracker.log_extra(role, name, plain)
    tracker.log(result(0, curves={}))
    again = mlflow_runs.StudyTracker(RECORD, uri)
    again.log_extra(Role.BASELINE, "lora", plain)
    again.log_missing([result(0, curves={})])
    tags = [run.data.tags for run in nested(uri)[1]]
    found = sorted((t.get("role", ""), t.get("training", ""), t.get("trial_number", "")) for t in tags)
    assert found == [
        *[("", "", "0"), ("baseline", "baselines/full", ""), ("baseline", "baselines/lora", "")],
        ("repeat", "repeats/0-seed1", ""),
    ]


def test_a_single_trial_that_can_t_be_logged_is_one_line(uri, monkeypatch):
    alone = dataclasses.replace(result(0, curves={}), number=None)
    assert mlflow_runs.log_single(alone, uri) == ""

    def fail(*_args, **_kwargs):
        raise ConnectionError("http://me:hidden@host is gone\nat length")

    monkeypatch.setattr(MlflowClient, "create_run", fail)
    said = mlflow_runs.log_single(alone, uri)
    assert said == "MLflow could not log it (ConnectionError: http://me:***@host is gone)"


def with_test(number, accuracy):
    plain = result(number, curves={})
    return dataclasses.replace(plain, measurements={**plain.measurements, "test_accuracy": accuracy})


def test_what_the_test_split_said_is_added_once_to_the_closed_run_of_its_trial(uri):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log(result(0, curves={}))
    tracker.log(result(1, curves={}))
    trials = [with_test(0, 0.625), result(1, curves={})]
    tracker.log_tests(trials)
    mlflow_runs.StudyTracker(RECORD, uri).log_tests(trials)
    client, runs = nested(uri)
    found = {run.data.tags["trial_number"]: run.data.metrics.get("test_accuracy") for run in runs}
    assert found == {"0": 0.625, "1": None}
    assert {run.info.status for run in runs} == {"FINISHED"}
    (run,) = (run for run in runs if run.data.tags["trial_number"] == "0")
    assert len(client.get_metric_history(run.info.run_id, "test_accuracy")) == 1


def test_a_trial_that_is_logged_after_its_test_has_both_numbers(uri):
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log_missing([with_test(0, 0.625)])
    tracker.log_tests([with_test(0, 0.625)])
    client, (run,) = nested(uri)
    assert (run.data.metrics["accuracy"], run.data.metrics["test_accuracy"]) == (0.25, 0.625)
    assert len(client.get_metric_history(run.info.run_id, "test_accuracy")) == 1


def test_errors_and_standings_are_written_once_to_closed_runs_and_mended_when_they_change(uri):
    keys = {"quality_key": "q", "cost_key": "c"}
    measured = Measurements(accuracy=0.25, peak_memory_mib=100.0)
    first = result(0, curves={}, measurements=measured, **keys)
    twin = dataclasses.replace(first, number=1, accuracy_from="0", cost_from="0", gate="started")
    alone = dataclasses.replace(first, number=2, quality_key="", cost_key="", metrics={}, measurements=Measurements())
    tracker = mlflow_runs.StudyTracker(RECORD, uri)
    tracker.log_missing([first, twin, alone])
    for probed in (110.0, 110.0, 121.0):
        trials = [dataclasses.replace(first, probes=[{"peak_memory_mib": probed}]), twin, alone]
        tracker.log_estimates(trials, compare(trials, RECORD.objectives))
    client, runs = nested(uri)
    found = {run.data.tags["trial_number"]: run for run in runs}
    assert {number: run.data.tags.get("front") for number, run in found.items()} == {
        "0": "front",
        "1": "tied with 0",
        "2": None,
    }
    assert [found["1"].data.tags[tag] for tag in ("accuracy_from", "cost_from", "gate")] == ["0", "0", "started"]
    assert "accuracy_from" not in found["0"].data.tags
    for number in "01":
        metrics = found[number].data.metrics
        assert metrics["peak_memory_mib"] == 100.0, "its own"
        assert metrics["peak_memory_mib_pooled"] == pytest.approx(110.0)
        assert metrics["peak_memory_mib_low"] < 100.0 < 121.0 < metrics["peak_memory_mib_high"]
        assert "accuracy_low" not in metrics
        history = client.get_metric_history(found[number].info.run_id, "peak_memory_mib_low")
        assert len(history) == 2, "what has not changed is not written again"
