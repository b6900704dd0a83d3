"""Measured memory falls where it must. Each configuration runs in a process of its own; nothing asserts a number."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def measured():
    groups = ["tuning", "quantization", "checkpointing"]
    command = [sys.executable, str(ROOT / "benchmarks" / "knobs.py"), "--json", "--steps", "2", "--groups", *groups]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    rows = json.loads(finished.stdout)
    return {row["knobs"]: row for row in rows}


def test_checkpointed_blocks_need_less_memory(measured):
    peaks = [measured[f"checkpointing={name}"]["peak_memory_mib"] for name in ("blocks", "every_n", "none")]
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.9 * peaks[-1]


def test_adapters_need_less_memory_than_everything(measured):
    peaks = [measured[f"tuning={name}"]["peak_memory_mib"] for name in ("frozen", "lora", "full")]
    assert peaks == sorted(peaks)
    assert peaks[0] < 0.9 * peaks[-1]


def test_fewer_bits_are_fewer_bytes_and_less_memory(measured):
    names = ("nf4_double", "nf4", "int8", "none")
    weights = [measured[f"quantization={name}"]["weight_bytes"] for name in names]
    assert weights == sorted(weights)
    assert len(set(weights)) == len(names)
    peaks = {name: measured[f"quantization={name}"]["peak_memory_mib"] for name in names}
    assert all(peaks[name] < peaks["none"] for name in names[:-1])
