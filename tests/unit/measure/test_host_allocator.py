"""What is freed is out of the resident set, whatever holes the heap has; in processes whose heaps are new."""

import subprocess
import sys

import pytest

START = """
import ctypes, sys
from terrasweep.measure.host_allocator import FreedAtOnce
from terrasweep.measure.host_memory import resident_mib
libc = ctypes.CDLL("libc.so.6")
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
KIB, MIB = 2**10, 2**20

def taken(size, count):
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    return blocks

def make_holes():
    '''Of 3 MiB each, 60 MiB in all: as timed steps leave them, between blocks that live on.'''
    libc.mallopt(-3, 32 * MIB)
    libc.mallopt(-1, 64 * MIB)
    for block in taken(3 * MIB, 40)[::2]:
        libc.free(block)

allocator = FreedAtOnce()
make_holes()
"""
KEPT = """
if sys.argv[1] == "begin":
    allocator.begin()
else:
    libc.mallopt(-3, 128 * KIB)
    libc.mallopt(-1, 128 * KIB)
    libc.malloc_trim(0)
before = resident_mib()
for block in taken(MIB, 40):
    libc.free(block)
print(resident_mib() - before)
"""
AFTERWARDS = """
allocator.begin()
during = resident_mib()
allocator.end()
before = resident_mib()
blocks = taken(MIB, 40)
for block in blocks:
    libc.free(block)
print(during - before, sum(block in range(min(blocks), min(blocks) + 200 * MIB) for block in blocks))
print(resident_mib() - before)
allocator.begin()
allocator.end()
print(resident_mib() - before)
"""


def printed(code, *arguments):
    command = [sys.executable, "-c", START + code, *arguments]
    return [float(word) for word in subprocess.check_output(command, text=True).split()]


def test_a_block_in_a_hole_of_the_heap_would_stay_resident_and_none_does():
    (by_thresholds_alone,) = printed(KEPT, "thresholds")
    assert by_thresholds_alone > 30, "the fault is there to be mended"
    (kept,) = printed(KEPT, "begin")
    assert kept == pytest.approx(0, abs=2)


def test_occupying_holes_takes_no_memory_and_afterwards_they_are_the_allocator_s_again():
    taken_by_it, together, kept, trimmed = printed(AFTERWARDS)
    assert taken_by_it == pytest.approx(0, abs=1)
    assert together == 40
    assert kept > 30, "the usual allocator keeps what is freed"
    assert trimmed == pytest.approx(0, abs=2), "a second time frees and occupies them as the first did"
