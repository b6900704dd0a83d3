"""What was trained on a CUDA device comes back, and merges there. Skipped where there is none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SMALL, run_sweep
from tests.gpu.test_cuda import cuda_is_there

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not cuda_is_there(), reason="there is no CUDA device")]


@pytest.mark.parametrize(
    "knobs",
    [
        ("quantization=nf4", "tuning.targets=qv", "precision=bf16"),
        ("quantization=fp4", "tuning.use_dora=true"),
        ("quantization=int8",),
        ("quantization=nf4_double", "offload=parameters"),
        ("tuning.frozen_dtype=bf16", "tuning.unfreeze_last=1", "precision=fp16"),
    ],
)
def test_a_trial_of_this_device_is_exported(home, knobs):
    finished = run_sweep(home, *SMALL, *knobs)
    assert finished.returncode == 0, finished.stderr
    folder = re.search(r"^folder: (.*)$", finished.stdout, re.MULTILINE)[1]
    exported = subprocess.run(
        [sys.executable, "-c", "from terrasweep.cli.app import main; main()", "export", folder],
        env={**os.environ, "TERRASWEEP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert exported.returncode == 0, exported.stderr + (Path(folder) / "export.log").read_text()
    difference = float(re.search(r"differ from the trial's by (\S+) ", exported.stdout)[1])
    assert difference < (0.05 if knobs[0] == "quantization=int8" else 1e-4)
