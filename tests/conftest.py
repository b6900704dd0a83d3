"""Fixtures for all tests: a project root of their own, and the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terrasweep.machine import startup
from tests import forked_commands

ROOT = Path(__file__).resolve().parents[1]

# More threads than cores are several times slower; noxfile.py gives each of its two processes one.
os.environ.setdefault("OMP_NUM_THREADS", "2")
startup.agree_on_cpu()  # As in a trial, and before anything imports torch.

SMALL = (
    "backbone=prithvi_eo_tiny",
    "backbone.checkpoint=null",
    "data.synthetic.train=24",
    "data.synthetic.val=12",
    "data.synthetic.test=0",
    "train.batch_size=4",
    "train.max_steps=4",
    "train.untimed_steps=1",
    "study.baselines=none",
    "confirm.rounds=0",
)
"""Overrides that make a trial take seconds: the same code, a small random backbone, few tiles and steps; a study is no
longer than its trials. What comes before and after them has tests of its own."""


def make_home(folder: Path) -> Path:
    """An empty project root with the shipped sweeps and search spaces."""
    for name in ("sweeps", "search_spaces"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def start_sweep(
    home: Path, *arguments: str, script: Path = ROOT / "sweep.py", own_group: bool = False, **environment: str
) -> subprocess.Popen[str]:
    """Start ``sweep.py``, or another script, as a user does, from another working directory.

    ``own_group`` lets a test end its whole process group, as a shell or a scheduler would.
    """
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd="/",
        env={**os.environ, "TERRASWEEP_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


def run_sweep(
    home: Path,
    *arguments: str,
    timeout_s: float = 600,
    script: Path = ROOT / "sweep.py",
    forked: bool | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``sweep.py`` to its end; forked from a process with its imports, unless the environment stands against it."""
    whole = {**os.environ, "TERRASWEEP_HOME": str(home), **environment}
    if forked is not False:
        server = forked_commands.server(whole.get("PYTHONPATH"))
        if forked or server.can_run(whole):
            return server.run(str(script), list(arguments), whole, "/", timeout_s)
    process = start_sweep(home, *arguments, script=script, own_group=False, **environment)
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_terrasweep(
    home: Path, *arguments: object, cwd: Path = Path("/"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the ``terrasweep`` command to its end, forked from a process with its imports."""
    whole = {**os.environ, "TERRASWEEP_HOME": str(home), **environment}
    server = forked_commands.server(whole.get("PYTHONPATH"))
    return server.run("terrasweep", [str(argument) for argument in arguments], whole, str(cwd), timeout_s=600)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project root; results go there."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return make_home(tmp_path)


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(home: Path) -> Cli:
    """Run ``sweep.py`` on the test's own project root."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return run_sweep(home, *arguments, **options)  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="module")
def products_in_32_bits() -> Iterator[None]:
    """For tests that compare numbers in their own process: exact products, whatever TerraTorch sets at its import.

    With what it sets they are bfloat16's on a CPU with AMX. What a trial's process does, it states itself.
    """
    import terratorch.tasks  # noqa: F401 - it sets torch's precision, which is put back
    import torch

    from terrasweep.machine.arithmetic import set_float32_precision

    precision, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    set_float32_precision("highest")
    yield
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = convolutions
