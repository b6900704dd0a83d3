"""Libraries that can't be imported ahead are said, and the trial runs all the same."""

import subprocess
import sys

from tests.composing import ROOT

RUNS_TWICE = """
import sys
from pathlib import Path
from terrasweep import process
if __name__ == "__main__":
    for value in (0.25, 0.5):
        outcome = process.run("tests.unit.process.faults:answer", {"value": value}, Path(sys.argv[1]), process.Limits())
        print(outcome.error, outcome.reported["measurements"]["accuracy"])
"""


def test_a_library_that_fails_while_it_is_imported_is_one_line_for_all_trials(tmp_path, monkeypatch):
    (tmp_path / "bitsandbytes.py").write_text("raise OSError('libcudart.so.99: cannot open\\nmore')\n")
    (tmp_path / "script.py").write_text(RUNS_TWICE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}:{ROOT / 'src'}")
    monkeypatch.delenv("TERRASWEEP_START_METHOD", raising=False)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "log.txt")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert finished.stdout.splitlines() == ["None 0.25", "None 0.5"]
    (line,) = finished.stderr.splitlines()
    assert line.startswith("warning: the libraries can't be imported ahead")
    assert line.endswith(": OSError: libcudart.so.99: cannot open; mend the installation")
