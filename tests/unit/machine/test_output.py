"""A closed pipe stops nothing, and no password is printed."""

import io
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

from omegaconf import OmegaConf

from terrasweep.machine.output import GuardedOutput

WRITES = """
import sys
from rich.console import Console
from terrasweep.machine.output import guard_output
guard_output()
guard_output()
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


def test_no_password_is_printed_whoever_prints_it(monkeypatch):
    plain = io.StringIO()
    stream = GuardedOutput(plain)
    url = "http://me:geheim7@host:5000/?token=geheim7"
    assert stream.write(OmegaConf.to_yaml({"tracking": {"uri": url}})) > 0
    stream.writelines([f"{url}\n", "kept\n"])
    print("two", url, "parts", file=stream)
    logging.StreamHandler(stream).emit(logging.makeLogRecord({"msg": url}))
    try:
        raise ValueError(url)
    except ValueError:
        traceback.print_exc(file=stream)
    assert "geheim7" not in plain.getvalue()
    assert plain.getvalue().count("http://me:***@host:5000/?token=***") == 5
    assert "kept\n" in plain.getvalue()


def test_what_is_buffered_when_the_reader_leaves_goes_nowhere_and_so_does_the_rest():
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as plain:
        stream = GuardedOutput(plain)
        assert stream.write("kept in the buffer") == 18
        os.close(reads)
        stream.flush()
        assert os.fstat(writes).st_rdev == Path(os.devnull).stat().st_rdev
        stream.write("the rest")
        stream.flush()
