"""The machine and the versions that a result was measured with."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import psutil


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
