"""The command asks the test split, writes the report, logs, and says by its status whether all was measured."""

import pytest
from typer.testing import CliRunner

from terrasweep import report
from terrasweep.cli.app import app
from terrasweep.results.errors import InvalidConfig
from terrasweep.study import background_tracking, final_test


@pytest.fixture
def calls(monkeypatch):
    """What is called, in its order; ``calls.complete`` says whether every recommended trial has its number."""

    class Calls(list):
        complete = True

    made = Calls()

    def ask(folder, say, *, asked_for):
        assert asked_for
        made.append("ask")
        say("trial 1: mIoU 0.5 on the test split")
        return made.complete

    monkeypatch.setattr(final_test, "run_final_tests", ask)
    monkeypatch.setattr(report, "write_report", lambda *_: made.append("report"))
    monkeypatch.setattr(background_tracking, "track_stored", lambda *_: made.append("track") or "MLflow is away")
    return made


def run(*arguments):
    return CliRunner().invoke(app, ["test", *arguments])


def test_the_report_and_mlflow_follow_the_answers(stored, calls):
    finished = run(stored.name)
    assert finished.exit_code == 0, finished.output
    assert calls == ["ask", "report", "track"]
    assert finished.stdout.splitlines() == ["trial 1: mIoU 0.5 on the test split", str(stored / "report.html")]
    assert finished.stderr.splitlines() == ["MLflow is away"]


def test_a_trial_without_an_answer_is_a_status_of_its_own_and_the_report_is_written(stored, calls):
    calls.complete = False
    assert run(stored.name).exit_code == 1
    assert calls == ["ask", "report", "track"]


def test_a_study_that_has_more_trials_to_come_is_told_of(stored, calls):
    for number in (22, 23):
        (stored / "trials" / str(number) / "result.json").unlink()
    assert "note: 22 of 24 trials have ended" in run(stored.name).stderr


def test_a_study_in_which_nothing_completed_is_refused(stored, calls):
    for file in stored.glob("trials/*/result.json"):
        file.unlink()
    assert isinstance(run(stored.name).exception, InvalidConfig)
    assert calls == []
