"""The machine and the versions that a result was measured with."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

import terrasweep
from terrasweep.project import git_commit

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
def versions() -> dict[str, str]:
    """Versions of terrasweep, Python and the libraries that decide a result; no library is imported for it."""
    found = {"terrasweep": terrasweep.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def cpu_name() -> str:
    """The processor's name as Linux gives it, with the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def gpu_names() -> list[str]:
    """The accelerators that NVML sees; empty without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def effective_device(name: str) -> str:
    """``cpu`` or ``cuda``, as ``train.device`` comes out on this machine; no torch is imported for it."""
    return name if name != "auto" else "cuda" if _has_gpu() else "cpu"


@cache
def _has_gpu() -> bool:
    return bool(gpu_names())


def host_memory_limit_bytes() -> int:
    """Memory that this machine has, or that its control group allows where that is less."""
    total = int(psutil.virtual_memory().total)
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total


def describe() -> dict[str, str]:
    """Everything that a report says about where its numbers were measured."""
    gpus = gpu_names()
    return {
        "processor": cpu_name(),
        "host memory": f"{host_memory_limit_bytes() / 2**30:.1f} GiB",
        "accelerators": ", ".join(gpus) if gpus else "none",
        "system": f"{platform.system()} {platform.release()}",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "commit": git_commit(),
        **versions(),
    }
