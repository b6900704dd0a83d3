"""Studies without MLflow and report, for tests of the loop."""

import pytest

from terrasweep import report
from terrasweep.study import loop
from tests.studies import NoTracker


@pytest.fixture
def untracked(monkeypatch):
    """Trials are told and written down, and nothing follows from them."""
    monkeypatch.setattr(loop, "BackgroundTracker", NoTracker)
    monkeypatch.setattr(report, "write_report", lambda *_: None)
    monkeypatch.setattr(report, "write_tables", lambda *_: None)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where MLflow's store will be."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path / "mlflow.db"
