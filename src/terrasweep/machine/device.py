"""The device of a trial, as torch sees it."""

from __future__ import annotations

import torch

from terrasweep.machine.hardware import cpu_name
from terrasweep.results.errors import InvalidConfig


def select_device(name: str) -> torch.device:
    """The device of a trial.

    Raises:
        InvalidConfig: CUDA was asked for, and there is none.
    """
    if name == "cuda" and not takes_gpu(name):
        raise InvalidConfig("train.device=cuda: torch sees no CUDA device; use auto or cpu")
    return torch.device("cuda", 0) if takes_gpu(name) else torch.device("cpu")


def takes_gpu(name: str) -> bool:
    """Whether a trial with this ``train.device`` computes on a GPU, and reads its batches into page-locked memory.

    CUDA is not even asked where the trial is to leave it alone.
    """
    return name != "cpu" and torch.cuda.is_available()


def device_name(device: torch.device) -> str:
    """The device's name as its maker gives it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
