"""Memory that a trial's processes share counts once, and memory that each has of its own counts each time."""

import subprocess
import sys
from pathlib import Path

import pytest

from terrasweep.process import host_memory
from terrasweep.process.host_memory import HostMemoryGrowth

MIB = 2**20
HELD_MIB, WORKERS = 200, 3

TRIAL = """
import mmap, os, signal, sys

def touched(mib):
    block = mmap.mmap(-1, mib * 2**20, flags=mmap.MAP_PRIVATE)
    block.madvise(15)  # Without huge pages: a page is copied alone.
    for at in range(0, len(block), mmap.PAGESIZE):
        block[at] = 1
    return block

def say(word):
    print(word, flush=True)
    sys.stdin.readline()

inherited, held, writes = (int(argument) for argument in sys.argv[1:])
before = touched(inherited) if inherited else None
here = os.fork() if inherited else 0  # The one above is a forkserver.
if here:
    os.waitpid(here, 0)
    os._exit(0)
say(os.getpid())
block = touched(held) if held else None
ready, told = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        for page in range(0, len(block) if block else 0, mmap.PAGESIZE):
            seen = block[page]
            if writes:
                block[page] = 2
        for page in range(0, len(before) if before else 0, mmap.PAGESIZE):
            seen = before[page]
        os.write(told, b"1")
        signal.pause()
for _ in range(3):
    os.read(ready, 1)
say("ready")
os.killpg(0, 9)
"""


@pytest.fixture
def grown():
    """Start a trial that forks three workers, and wait until they have done their work; returns its growth."""
    started = []

    def run(inherited=0, held=HELD_MIB, writes=0):
        trial = subprocess.Popen(
            [sys.executable, "-c", TRIAL, str(inherited), str(held), str(writes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(trial)
        growth = HostMemoryGrowth(int(trial.stdout.readline()))
        trial.stdin.write("\n")
        trial.stdin.flush()
        assert trial.stdout.readline() == "ready\n"
        return growth

    yield run
    for trial in started:
        trial.communicate("\n")


def test_pages_that_workers_only_read_count_once(grown):
    growth = grown()
    assert HELD_MIB * 0.9 < growth.exact() / MIB < HELD_MIB * 1.5
    assert growth.bytes(allowed=2**40) / MIB > HELD_MIB * WORKERS, "the bound alone"
    assert growth.bytes(allowed=HELD_MIB * 2 * MIB) / MIB < HELD_MIB * 1.5


def test_pages_that_each_worker_writes_to_count_for_each(grown):
    assert grown(writes=1).exact() / MIB > HELD_MIB * (1 + WORKERS) * 0.9


def test_what_is_inherited_from_the_forkserver_is_no_growth_however_many_map_it(grown):
    assert grown(inherited=2 * HELD_MIB, held=0).exact() / MIB < HELD_MIB * 0.3


def test_where_the_system_does_not_tell_the_bound_is_taken(grown, monkeypatch):
    read = Path.read_text

    def refuse(self, *arguments, **options):
        if self.name == "smaps_rollup":
            raise PermissionError
        return read(self, *arguments, **options)

    monkeypatch.setattr(host_memory.Path, "read_text", refuse)
    growth = grown()
    assert growth.exact() == pytest.approx(growth.bytes(allowed=2**40), rel=0.1)


def test_a_reading_that_took_long_is_not_repeated_at_once(grown, monkeypatch):
    growth, readings = grown(), []
    whole = growth._proportional
    monkeypatch.setattr(growth, "_proportional", lambda: readings.append(1) or whole())
    seconds = iter([100.0, 101.0, 101.5, 106.0, 107.0, 107.0, 107.5])
    monkeypatch.setattr(host_memory.time, "monotonic", lambda: next(seconds))
    counts = []
    for _ in range(3):  # The first one reads from 101.0 to 101.5; then it is asked at 106 and at 107.
        growth.bytes(allowed=0)
        counts.append(len(readings))
    assert counts == [1, 1, 2]


def test_a_process_that_has_ended_holds_nothing():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    growth = HostMemoryGrowth(ended.pid)
    assert growth.exact() == growth.bytes(allowed=0) == 0
