"""Fixtures for all tests: a project root of their own, and the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Two busy processes with two threads each are several times slower than with one.
os.environ.setdefault("OMP_NUM_THREADS", "2")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project root; results go there."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    for folder in ("sweeps", "search_spaces"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    return tmp_path


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cli(home: Path) -> Cli:
    """Run ``sweep.py`` as a user does, from another working directory."""

    def run(*arguments: str, timeout_s: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "sweep.py"), *arguments],
            cwd="/",
            env={**os.environ, "TERRASWEEP_HOME": str(home), **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run
