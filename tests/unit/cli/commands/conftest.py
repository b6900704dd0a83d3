"""A study for the commands that read one."""

import pytest

from terrasweep.machine.files import write_atomically
from tests.unit.report.sample_study import study


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """The folder of a study that is there."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    record, results = study()
    folder = tmp_path / "results" / record.name
    write_atomically(folder / "study.json", record.to_json())
    for result in results:
        write_atomically(folder / "trials" / str(result.number) / "result.json", result.to_json())
    return folder
