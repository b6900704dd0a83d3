"""Tracking beside the trials: no trial waits for MLflow, however it misbehaves, and nothing is lost by that."""

import contextlib
import dataclasses
import socket
import threading
from types import SimpleNamespace

import pytest

from terrasweep.study import background_tracking
from terrasweep.study.background_tracking import AT_MOST_WAITING, BackgroundTracker, track_stored
from tests.unit.study.test_mlflow_runs import RECORD, result

FOREVER_S = 1e6


class Store:
    """An MLflow that does as it is told."""

    def __init__(self):
        self.logged, self.finished, self.attempts = [], 0, 0
        self.extra = []
        self.broken, self.answers = False, threading.Event()
        self.answers.set()
        self.asked = threading.Semaphore(0)

    def log(self, trial):
        self.attempts += 1
        self.asked.release()
        self.answers.wait()
        if self.broken:
            raise ConnectionError("refused\nat length")
        self.logged.append(trial.number)

    def log_missing(self, trials):
        for trial in trials:
            if trial.number not in self.logged:
                self.log(trial)

    def log_extra(self, role, name, trial):
        self.extra.append((str(role), name))

    def log_tests(self, trials):
        self.tested = [trial.number for trial in trials if trial.value("test_accuracy") is not None]

    def log_estimates(self, trials, comparison):
        self.estimated = {t.number: comparison.standing_text(place) for place, t in enumerate(trials)}

    def finish(self, _folder, _summary):
        self.finished += 1


@pytest.fixture
def store(monkeypatch):
    made = Store()
    monkeypatch.setattr(background_tracking, "StudyTracker", lambda *_: made)
    yield made
    made.answers.set()


def results(total):
    return [result(number, curves={}) for number in range(total)]


def test_all_is_logged_and_nothing_said(store, tmp_path):
    tracker = BackgroundTracker(RECORD, "")
    for trial in results(3):
        tracker.log(trial)
    assert tracker.trouble() == ""
    assert tracker.finish(tmp_path, results(4), {}) == ""
    assert (store.logged, store.finished) == ([0, 1, 2, 3], 1)


def test_trainings_that_are_no_trials_are_logged_and_what_a_start_before_left_unlogged(store, tmp_path):
    for name in ("baselines/full", "repeats/0-seed1"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "result.json").write_text(result(0, curves={}).to_json())
    tracker = BackgroundTracker(RECORD, "")
    tracker.log_extra("baseline", "lora", result(0, curves={}))
    assert tracker.finish(tmp_path, [], {}) == ""
    assert set(store.extra) - {("baseline", "lora")} == {("baseline", "full"), ("repeat", "0-seed1")}
    assert store.logged == []


def test_trials_do_not_wait_for_a_store_that_hangs(store, tmp_path):
    store.answers.clear()
    tracker = BackgroundTracker(RECORD, "", stalled_s=0.05)
    total = 3 * AT_MOST_WAITING
    for trial in results(total):
        tracker.log(trial)
    assert store.attempts <= 1, "nothing has answered yet, and all trials are handed over"
    assert "slower than the trials; trials go on" in tracker.trouble()
    assert tracker.trouble() == "", "it is said once"
    assert "start the same command again" in tracker.finish(tmp_path, results(total), {})
    store.answers.set()
    tracker = BackgroundTracker(RECORD, "")  # The next start.
    assert tracker.finish(tmp_path, results(total), {}) == ""
    assert sorted(store.logged) == list(range(total))


def test_a_store_that_fails_in_mid_sweep_is_left_alone_and_caught_up_with(store, tmp_path):
    tracker = BackgroundTracker(RECORD, "", pause_s=FOREVER_S)
    store.broken = True
    for trial in results(20):
        tracker.log(trial)
    store.asked.acquire()
    assert "ConnectionError: refused)" in tracker.finish(tmp_path, results(20), {})
    assert store.attempts == 2, "once in the sweep, once at its end"
    store.broken = False
    assert BackgroundTracker(RECORD, "").finish(tmp_path, results(20), {}) == ""
    assert (sorted(store.logged), store.finished) == (list(range(20)), 1)


def test_after_its_pause_a_store_that_is_back_is_used(store, tmp_path):
    tracker = BackgroundTracker(RECORD, "", pause_s=0.0)
    store.broken = True
    tracker.log(results(1)[0])
    store.asked.acquire()
    store.broken = False
    assert tracker.finish(tmp_path, results(2), {}) == ""
    assert sorted(store.logged) == [0, 1]


def test_a_server_that_accepts_and_never_answers_costs_as_many_timeouts_as_there_are_attempts(monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for name, value in {"TIMEOUT": "1", "MAX_RETRIES": "0"}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept():
            with contextlib.suppress(OSError):  # The server is closed.
                while True:
                    accepted.append(server.accept())

        threading.Thread(target=accept, daemon=True).start()
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        tracker = BackgroundTracker(RECORD, uri, pause_s=FOREVER_S)
        for trial in results(50):
            tracker.log(trial)
        assert "start the same command again" in tracker.finish(tmp_path, results(50), {})
        server.shutdown(socket.SHUT_RDWR)
    assert 1 <= len(accepted) <= 2, "at the start, if that has come before the end, and at the end; a timeout each"
    for connection, _ in accepted:
        connection.close()


def test_an_error_of_the_thread_itself_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(background_tracking, "StudyTracker", lambda *_: SimpleNamespace())
    assert "AttributeError" in BackgroundTracker(RECORD, "").finish(tmp_path, results(1), {})


def test_the_end_logs_what_the_test_split_said_too(store, tmp_path):
    measured = {"accuracy": 0.5, "test_accuracy": 0.25}
    trials = [result(0, curves={}), result(1, curves={}, measurements=measured)]
    assert track_stored(RECORD, tmp_path, trials, {}) == ""
    assert (sorted(store.logged), store.tested, store.finished) == ([0, 1], [1], 1)


def test_a_store_whose_password_is_not_stored_is_left_alone(store, tmp_path):
    record = dataclasses.replace(RECORD, tracking_uri="postgresql://ada:***@db.example/mlflow")
    told = track_stored(record, tmp_path, results(1), {})
    assert "its password is not stored; the study's command, started again" in told
    assert (store.logged, store.finished) == ([], 0)
