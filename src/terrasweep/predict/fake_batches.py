"""Batches as a trial's data give them, as fake tensors that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from terrasweep.config.input_frames import LOCATION, TIME, input_coordinates, input_frames
from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.feature_layout import zero_images

Batch = dict[str, Any]


class FakeBatches(pl.LightningDataModule):
    """Two training batches and one to evaluate; to be used in a FakeTensorMode."""

    def __init__(self, config: TrialConfig, classes: int) -> None:
        """Args: ``classes``: of the task."""
        super().__init__()
        self._config, self._classes = config, classes

    def train_dataloader(self) -> Batches:
        """The first step allocates the optimizer's state, the second one has it beside its activations."""
        return Batches(lambda: self._batch(self._config.train.batch_size), 2)

    def val_dataloader(self) -> Batches:
        """Metrics keep sums, so that one batch is as any other."""
        return Batches(lambda: self._batch(self._config.train.evaluated_at_once), 1)

    def _batch(self, samples: int) -> Batch:
        one = zero_images(self._config, torch.device("cpu"))
        images = {name: _repeated(image, samples) for name, image in one.items()} if isinstance(one, dict) else None
        image: Any = _repeated(one, samples) if isinstance(one, Tensor) else images
        height, width = (one if isinstance(one, Tensor) else next(iter(one.values()))).shape[-2:]
        return {"image": image, **self._target(samples, height, width), **self._coordinates(samples)}

    def _target(self, samples: int, height: int, width: int) -> Batch:
        shapes: dict[str, tuple[str, tuple[int, ...], torch.dtype]] = {
            "segmentation": ("mask", (height, width), torch.int64),
            "regression": ("mask", (height, width), torch.float32),
            "classification": ("label", (), torch.int64),
            "multilabel": ("label", (self._classes,), torch.int64),
        }
        key, shape, dtype = shapes[self._config.task.name]
        return {key: torch.empty(samples, *shape, dtype=dtype)}

    def _coordinates(self, samples: int) -> Batch:
        shapes = {TIME: ("temporal_coords", (input_frames(self._config), 2)), LOCATION: ("location_coords", (2,))}
        wanted = [shapes[kind] for kind in input_coordinates(self._config)]
        return {key: torch.empty(samples, *shape) for key, shape in wanted}


class Batches:
    """So many batches, each made when its turn comes and held by nobody else."""

    def __init__(self, make: Callable[[], Batch], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        return (self._make() for _ in range(self._count))


def _repeated(image: Tensor, samples: int) -> Tensor:
    """As many images of the shape (1, ...), in memory of their own."""
    return image.new_empty((samples, *image.shape[1:]))
