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
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InvalidConfig("train.device=cuda: torch sees no CUDA device; use auto or cpu")
    return torch.device("cuda", 0) if available and name != "cpu" else torch.device("cpu")


def device_name(device: torch.device) -> str:
    """The device's name as its maker gives it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()
