"""The hooks of a datamodule see a trainer and a batch of their own, and leave both as they were."""

import lightning.pytorch as pl
import pytest
import torch

from terrasweep.data.open.datamodule_hooks import normalized_by, reason_of
from terrasweep.results.errors import DataError


class InPlace(pl.LightningDataModule):
    """Doubles the images where they lie, after it has looked at the trainer."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error

    def on_after_batch_transfer(self, batch, dataloader_idx):
        self.told = (self.trainer.training, self.trainer.validating)
        if self.error is not None:
            raise self.error
        for image in batch["image"].values():
            image *= 2
        return batch


@pytest.mark.parametrize("training", [True, False])
def test_a_hook_that_works_in_place_leaves_the_batch_and_its_trainer(training):
    datamodule, trainer = InPlace(), object()
    datamodule.trainer = trainer
    batch = {"image": {"S1": torch.ones(2, 1, 4, 4, dtype=torch.int16)}, "mask": torch.zeros(2, 1, 4, 4)}
    made = normalized_by(datamodule, batch, training)
    assert datamodule.told == (training, not training)
    assert made["image"]["S1"].dtype == torch.float32
    assert (made["image"]["S1"] == 2).all()
    assert made["mask"].shape == (2, 4, 4)
    assert (batch["image"]["S1"] == 1).all()
    assert batch["mask"].shape == (2, 1, 4, 4)
    assert datamodule.trainer is trainer


def test_a_hook_that_fails_is_named_and_its_trainer_comes_back():
    datamodule = InPlace(KeyError("mask"))
    told = r"InPlace fails on a batch: KeyError: 'mask'"
    with pytest.raises(DataError, match=told):
        normalized_by(datamodule, {"image": {}}, training=True)
    assert datamodule.trainer is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("bands are too many\nsee above"), "bands are too many"),
        (ValueError(""), "ValueError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_reason_is_the_first_line_with_the_kind_where_it_says_little(error, told):
    assert reason_of(error) == told
