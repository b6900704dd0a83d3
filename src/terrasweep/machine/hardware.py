"""What this machine is: processor, memory, and its GPUs as NVML tells of them, without torch and without CUDA."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from terrasweep.machine import control_groups

_PROCESSORS = Path("/sys/devices/system/cpu")


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
    with _nvml() as nvml:
        if nvml is None:
            return []
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        return [str(nvml.nvmlDeviceGetName(handle)) for handle in handles]


def effective_device(name: str) -> str:
    """``cpu`` or ``cuda``, as ``train.device`` comes out on this machine; no torch is imported for it.

    In a child :func:`terrasweep.machine.device.select_device` decides.
    """
    return name if name != "auto" else "cuda" if _is_any_visible() and _has_gpu() else "cpu"


def _is_any_visible() -> bool:
    """Whether ``CUDA_VISIBLE_DEVICES`` leaves a GPU; CUDA takes those before the first that is not one."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() not in ("", "-1", "NoDevFiles")


@cache
def _has_gpu() -> bool:
    return bool(gpu_names())


def compute_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a visible GPU without initialising CUDA; (0, 0) where there is none.

    Args:
        device: As ``torch.cuda.get_device_capability`` takes it: an index, something with one, or None for the first.
    """
    index = device if isinstance(device, int) else getattr(device, "index", None) or 0
    # CUDA counts the visible ones, NVML all of them.
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    name = visible[index] if index < len(visible) and visible[index] else str(index)
    with _nvml() as nvml:
        if nvml is None:
            return (0, 0)
        try:
            find = nvml.nvmlDeviceGetHandleByIndex if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID
            handle = find(int(name) if name.isdigit() else name.encode())
            major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        except nvml.NVMLError:
            return (0, 0)
        return (int(major), int(minor))


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, open within the block; None without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def compute_threads() -> int:
    """Threads that a trial computes with: ``OMP_NUM_THREADS``, or the cores that this process may use.

    Two hardware threads of a core count once, as torch has it by itself; and a quota of processors' time counts
    (``docker run --cpus=4``), which torch does not see: more threads than that would wait for each other.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked):
        return int(asked)
    cores = len({_core(processor) for processor in os.sched_getaffinity(0)})
    allowed = control_groups.processors()
    return cores if allowed is None else max(1, min(cores, math.floor(allowed)))


def _core(processor: int) -> tuple[str, ...]:
    """What names the core of a logical processor: of two processors alike for the hardware threads of one core."""
    topology = _PROCESSORS / f"cpu{processor}" / "topology"
    try:
        return tuple((topology / name).read_text() for name in ("physical_package_id", "core_id"))
    except OSError:
        return (str(processor),)


def host_memory_limit_bytes() -> int:
    """Memory that this machine has, or that a control group of this process allows where that is less."""
    total, limit = int(psutil.virtual_memory().total), control_groups.limit_bytes()
    return total if limit is None else min(total, limit)


def available_host_memory_bytes() -> int:
    """Memory that processes here may still take: of the machine, or of this process's control groups."""
    free, allowed = int(psutil.virtual_memory().available), control_groups.available_bytes()
    return free if allowed is None else min(free, allowed)
