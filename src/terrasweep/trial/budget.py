"""The memory budget: what the allocator may have, and whether the peaks stayed below it."""

from __future__ import annotations

import torch

from terrasweep.config.schema import BudgetConfig
from terrasweep.measure.meter import Reading
from terrasweep.measure.peak_memory import MIB
from terrasweep.results.errors import OverBudget
from terrasweep.results.wording import significant


def limit_device_memory(device: torch.device, budget: BudgetConfig, context_mib: float) -> None:
    """Let torch's allocator have the budget less the CUDA context, so that a small card is seen on a large one."""
    if budget.memory_gib is None or device.type != "cuda":
        return
    total = torch.cuda.get_device_properties(device).total_memory
    allowed = budget.memory_gib * 2**30 - context_mib * MIB
    torch.cuda.set_per_process_memory_fraction(min(1.0, max(allowed, MIB) / total), device)


def check_budget(peaks_mib: Reading, budget: BudgetConfig) -> None:
    """Compare the peaks of a phase with ``budget.memory_gib``.

    Raises:
        OverBudget: The largest one is above it; the miss is relative to the budget.
    """
    known = {name: peak for name, peak in peaks_mib.items() if peak is not None}
    if budget.memory_gib is None or not known:
        return
    name = max(known, key=lambda key: known[key])
    limit = budget.memory_gib * 1024
    if known[name] > limit:
        raise OverBudget(
            f"budget.memory_gib={budget.memory_gib:g}: {name} is {significant(known[name] / 1024, 3)} GiB",
            violation=known[name] / limit - 1,
        )
