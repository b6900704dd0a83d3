"""The budget is what the allocator may have, and what the peaks are held against."""

from types import SimpleNamespace

import pytest
import torch

from terrasweep.config.schema import BudgetConfig
from terrasweep.results.errors import OverBudget
from terrasweep.trial.budget import check_budget, limit_device_memory

CUDA = torch.device("cuda", 0)
CARD = 40 * 2**30


@pytest.fixture
def allowed(monkeypatch):
    """What the allocator was given of a card, in bytes, by device."""
    given = {}
    properties = SimpleNamespace(total_memory=CARD)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda share, device: given.update({device: share * CARD})
    )
    return given


@pytest.mark.parametrize(
    ("memory_gib", "context_mib", "expected"),
    [
        (24.0, 512.0, 24 * 2**30 - 512 * 2**20),
        (24.0, 0.0, 24 * 2**30),
        (80.0, 512.0, CARD),
        (0.25, 512.0, 2**20),
    ],
    ids=["the context counts", "no context", "a larger budget than the card", "a smaller one than the context"],
)
def test_the_allocator_may_have_the_budget_less_the_context(allowed, memory_gib, context_mib, expected):
    limit_device_memory(CUDA, BudgetConfig(memory_gib=memory_gib), context_mib)
    assert allowed == {CUDA: pytest.approx(expected)}


@pytest.mark.parametrize(("device", "memory_gib"), [(CUDA, None), (torch.device("cpu"), 1.0)])
def test_without_a_budget_and_on_a_cpu_nothing_is_limited(allowed, device, memory_gib):
    limit_device_memory(device, BudgetConfig(memory_gib=memory_gib), 512.0)
    assert allowed == {}


def test_over_budget_tells_the_relative_miss_of_the_largest_peak():
    budget = BudgetConfig(memory_gib=1.0)
    check_budget({"a": 1024.0, "b": None}, budget)
    check_budget({"a": 10.0**9}, BudgetConfig())
    check_budget({"a": None}, budget)
    with pytest.raises(OverBudget, match=r"^budget\.memory_gib=1: b is 1\.5 GiB$") as over:
        check_budget({"a": 1100.0, "b": 1536.0, "c": None}, budget)
    assert over.value.violation == pytest.approx(0.5)
