"""What runs in a trial's process alone counts as covered: started by a forkserver, left by ``os._exit``."""

import inspect
import json
import os
import subprocess
import sys

from terrasweep.process import child
from tests.composing import ROOT

PROGRAM = """
import multiprocessing, sys
from pathlib import Path
from terrasweep.process import parent

# As trials are started, less the libraries that their forkserver imports for many seconds.
parent._context = lambda method=None: multiprocessing.get_context("forkserver")
if __name__ == "__main__":
    outcome = parent.run("tests.unit.process.faults:answer", {"value": 0.5}, Path(sys.argv[1]), parent.Limits())
    assert outcome.reported["measurements"]["accuracy"] == 0.5, outcome
"""


def test_lines_that_run_in_a_forked_child_alone_are_covered(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    # Where coverage measures this test, too, it shall not take the program for a part of it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    paths = os.pathsep.join([str(ROOT), *sys.path])
    environment = {**inherited, "PYTHONPATH": paths, "COVERAGE_FILE": str(tmp_path / ".coverage")}
    for arguments in (
        ["run", str(tmp_path / "program.py"), str(tmp_path / "log.txt")],
        ["combine", "--quiet"],
        ["json", "--quiet", "--fail-under=0", "-o", str(tmp_path / "coverage.json")],
    ):
        command = [sys.executable, "-m", "coverage", *arguments]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    files = json.loads((tmp_path / "coverage.json").read_text())["files"]
    covered = set(files["src/terrasweep/process/child.py"]["executed_lines"])
    lines, first = inspect.getsourcelines(child.main)
    last = next(first + number for number, line in enumerate(lines) if "os._exit" in line)
    assert last in covered
