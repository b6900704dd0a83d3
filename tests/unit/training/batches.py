"""Models of a layer at most, and batches that a test writes, in the place of a trial's."""

import dataclasses

import lightning.pytorch as pl
import torch
from terratorch.models.model import ModelOutput
from torch import nn
from torch.utils.data import DataLoader

from terrasweep.data.open.split_data import OpenData
from terrasweep.models.assemble import BuiltModel
from terrasweep.training.batch_entries import target_key
from tests.composing import compose_trial

CPU = torch.device("cpu")


class Echo(nn.Module):
    """A model whose output is its input, so that a batch says what was predicted."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images, **kwargs):
        assert not kwargs, "the model was handed what it doesn't know"
        return ModelOutput(output=images * self.scale.to(images.dtype))


class Tiny(nn.Module):
    """One linear layer over the bands, of every pixel or of their mean."""

    def __init__(self, task, outputs):
        super().__init__()
        self.layer = nn.Conv2d(2, outputs, 1)
        self.per_pixel = target_key(task) == "mask"

    def forward(self, images, **kwargs):
        scores = self.layer(images)
        scores = scores if self.per_pixel else scores.mean(dim=(2, 3))
        return ModelOutput(output=scores.squeeze(1) if scores.shape[1] == 1 else scores)


class Batches(pl.LightningDataModule):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def train_dataloader(self):
        return DataLoader(self.batches, batch_size=None)

    val_dataloader = train_dataloader


def config(task, *overrides, **changes):
    settings = (
        "train.max_steps=1",
        "train.untimed_steps=0",
        "optimizer.weight_decay=0.0",
        "schedule=constant",
        "augment.name=none",
        *overrides,
    )
    composed = compose_trial(f"task={task}", *settings)
    return dataclasses.replace(composed, task=dataclasses.replace(composed.task, **changes))


def built(module):
    return BuiltModel(module=module, layout=None, trainable_parameters=1, total_parameters=1, weight_bytes=4)


def opened(batches, classes, names=None):
    return OpenData(Batches(batches), classes, names)
