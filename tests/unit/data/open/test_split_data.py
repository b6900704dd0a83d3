"""Batches come in a seeded order, and are pinned for a GPU alone."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from terrasweep.data.open.split_data import SeededOrder, SplitData
from tests.composing import compose_trial


def test_each_epoch_has_the_order_of_its_own_whoever_reads_the_samples():
    """A loader's own draws, which differ with workers that stay, are none of it."""

    def epochs(**how):
        loader = DataLoader(list(range(11)), batch_size=4, drop_last=True, **how)
        return [[number for batch in loader for number in batch.tolist()] for _ in range(3)]

    def seeded():
        return {"sampler": SeededOrder(11, 7), "generator": torch.Generator().manual_seed(7)}

    alone = epochs(**seeded())
    assert epochs(**seeded(), num_workers=1, persistent_workers=True) == alone
    assert len({tuple(order) for order in alone}) == 3
    assert alone == epochs(shuffle=True, generator=torch.Generator().manual_seed(7)), "as a plain loader has it"
    assert alone != epochs(sampler=SeededOrder(11, 8))


@pytest.mark.parametrize(
    ("device", "available", "pinned"),
    [("auto", True, True), ("cuda", True, True), ("cpu", True, False), ("auto", False, False), ("cuda", False, False)],
)
def test_batches_are_pinned_for_a_trial_on_a_gpu_alone(monkeypatch, device, available, pinned):
    """For one on the CPU of a machine that has a GPU, page-locked memory would initialise CUDA."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    splits = {"train": [{"image": torch.zeros(1)}], "val": [{"image": torch.zeros(1)}]}
    opened = SplitData(SimpleNamespace(), splits, compose_trial(f"train.device={device}"))
    assert [opened.train_dataloader().pin_memory, opened.val_dataloader().pin_memory] == [pinned, pinned]
