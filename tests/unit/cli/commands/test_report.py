"""A report is written again from what is stored."""

from typer.testing import CliRunner

from terrasweep import report
from terrasweep.cli.app import app
from terrasweep.results.errors import InvalidConfig


def test_the_report_is_written_again_from_what_is_stored_and_its_place_told(stored, monkeypatch):
    written = []
    monkeypatch.setattr(report, "write_report", lambda *arguments: written.append(arguments))
    finished = CliRunner().invoke(app, ["report", stored.name])
    assert finished.stdout.strip() == str(stored / "report.html")
    ((folder, record, results),) = written
    assert (folder, record.name) == (stored, stored.name)
    assert sorted(r.number for r in results) == sorted(int(p.name) for p in (stored / "trials").iterdir())


def test_a_study_that_is_not_there_is_refused_with_what_is_near(stored):
    finished = CliRunner().invoke(app, ["report", stored.name[:-1]])
    assert isinstance(finished.exception, InvalidConfig)
    assert f"did you mean {stored.name}?" in str(finished.exception)
