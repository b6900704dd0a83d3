"""The versions that a result was measured with, and what a report says of its machine."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from importlib.metadata import PackageNotFoundError

import terrasweep
from terrasweep.machine.hardware import cpu_name, gpu_names, host_memory_limit_bytes
from terrasweep.machine.paths import home
from terrasweep.results.wording import with_decimals


@cache
def git_commit() -> str:
    """The root's git commit, with ``-dirty`` where tracked files were changed; empty outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match=NeVeRmAtCh"],  # noqa: S607 - the user's git
            cwd=home(),
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()


PACKAGES = (
    "torch",
    "torchvision",
    "terratorch",
    "torchgeo",
    "lightning",
    "peft",
    "bitsandbytes",
    "transformers",
    "deepspeed",
    "optuna",
    "hydra-core",
    "mlflow",
)


@cache
def version(package: str) -> str:
    """A package's version; read once, since it takes milliseconds and is asked for by each of thousands of checks.

    Raises:
        importlib.metadata.PackageNotFoundError: It is not installed.
    """
    return metadata.version(package)


@cache
def versions() -> dict[str, str]:
    """Versions of terrasweep, Python and the libraries that decide a result; no library is imported for it."""
    found = {"terrasweep": terrasweep.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, str]:
    """Everything that a report says about where its numbers were measured."""
    gpus = gpu_names()
    return {
        "processor": cpu_name(),
        "host memory": f"{with_decimals(host_memory_limit_bytes() / 2**30, 1)} GiB",
        "accelerators": ", ".join(gpus) if gpus else "none",
        "system": f"{platform.system()} {platform.release()}",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "commit": git_commit(),
        **versions(),
    }
