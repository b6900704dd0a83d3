"""Processes that read samples beside the trial's."""

from __future__ import annotations

import torch


def start_reading() -> None:
    """One thread for torch: a forked process has lost the others, and would wait for them."""
    torch.set_num_threads(1)
