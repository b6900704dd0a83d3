"""A closed pipe stops nothing."""

import subprocess
import sys

WRITES = """
import sys
from rich.console import Console
from terrasweep.machine.readers import outlive_readers
outlive_readers()
outlive_readers()
console = Console()
for number in range(20000):
    print(f"line {number}", file=sys.{stream})
    console.print(f"line {number}")
open(sys.argv[1], "w").write("went on")
"""


def test_work_goes_on_after_its_reader_has_left(tmp_path):
    for stream in ("stdout", "stderr"):
        mark = tmp_path / stream
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITES.replace("{stream}", stream), str(mark)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "line 0\n"
        writer.stdout.close()
        assert writer.wait(timeout=60) == 0
        assert mark.read_text() == "went on"
