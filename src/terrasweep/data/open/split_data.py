"""Splits as a trial reads them: in a seeded order or from memory, normalized on the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.datamodule_hooks import Sample, normalized_by
from terrasweep.data.open.frames import combined, with_frames
from terrasweep.machine.device import takes_gpu
from terrasweep.results.errors import DataError


@dataclass(frozen=True)
class OpenData:
    """A data set that is ready to train on."""

    module: SplitData
    num_classes: int
    class_names: list[str] | None

    @property
    def batches_per_epoch(self) -> int:
        """Batches of the training split."""
        return len(self.module.train_dataloader())

    def training_batch(self, device: torch.device) -> Sample:
        """The first batch of the training split as a step gets it: on the device, normalized."""
        return self.module.normalized(next(iter(self.module.train_dataloader())), device, training=True)

    def validation_batch(self, device: torch.device) -> Sample:
        """The first batch of the validation split, likewise."""
        return self.module.normalized(next(iter(self.module.val_dataloader())), device, training=False)


class InMemory(Dataset[Sample]):
    """Every sample of a dataset, read once. Its tensors are handed out as they are: no transform may alter them."""

    def __init__(self, dataset: Dataset[Sample]) -> None:
        self._samples = [dataset[index] for index in range(len(dataset))]  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


class SeededOrder(Sampler[int]):
    """Each epoch's samples in an order of its own, the same whoever reads them.

    A loader draws further numbers from its own generator, and with persistent workers others than without: taken from
    that one, the order of the second epoch on would depend on ``data.workers``.
    """

    def __init__(self, samples: int, seed: int) -> None:
        """Args: ``samples`` is how many there are."""
        self._samples, self._generator = samples, torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self._samples

    def __iter__(self) -> Iterator[int]:
        # The first and the last draw are those of torch's loader and sampler: the orders are those of a plain loader.
        torch.empty((), dtype=torch.int64).random_(generator=self._generator)
        order = torch.randperm(self._samples, generator=self._generator).tolist()
        torch.randperm(self._samples, generator=self._generator)
        return iter(order)


class SplitData(pl.LightningDataModule):
    """The splits that are trained on and evaluated, normalized by the datamodule on the device, in a seeded order."""

    def __init__(self, source: pl.LightningDataModule, splits: dict[str, Dataset[Sample]], config: TrialConfig) -> None:
        """Args: ``splits`` are ``train`` and ``val``, or ``test`` alone, which then is what is evaluated."""
        super().__init__()
        self._source, self._config = source, config
        opened = {split: self._opened(dataset, split) for split, dataset in splits.items()}
        self._splits, self._evaluated = opened, opened["test" if "test" in opened else "val"]
        self._collate = getattr(source, "collate_fn", None) or default_collate

    @property
    def evaluated_samples(self) -> int:
        """How many samples are evaluated."""
        return len(self._evaluated)  # type: ignore[arg-type]

    def _opened(self, dataset: Dataset[Sample], split: str) -> Dataset[Sample]:
        if len(dataset) == 0:  # type: ignore[arg-type]
            raise DataError(f"data.root={self._config.data.root}: the split {split} has no tiles; see docs/data.md")
        return InMemory(dataset) if self._config.data.in_memory else dataset

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled batches; the last one is dropped where it is smaller, unless it is the only one."""
        train = self._splits["train"]
        few = len(train) < self._config.train.batch_size  # type: ignore[arg-type]
        return self._loader(train, self._config.train.batch_size, shuffle=True, drop_last=not few)

    def val_dataloader(self) -> DataLoader[Sample]:
        """All tiles that are evaluated, in order."""
        return self._loader(self._evaluated, self._config.train.evaluated_at_once, shuffle=False, drop_last=False)

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Normalize as the datamodule does; the batch's own tensors stay as they were read."""
        training = self.trainer is None or self.trainer.training
        return {key: value for key, value in self._as_taken(batch, training).items() if key != "filename"}

    def normalized(self, batch: Sample, device: torch.device, *, training: bool) -> Sample:
        """A batch as a step gets it, without a trainer."""
        on_device = move_data_to_device({k: v for k, v in batch.items() if k != "filename"}, device)
        return self._as_taken(on_device, training)

    def _as_taken(self, batch: Sample, training: bool) -> Sample:
        """Normalized per band over all dates, and then as the backbone takes dates."""
        own = self._config.data.datamodule is None
        apart = batch | {"image": with_frames(batch["image"], self._config.data)} if own else batch
        normalized: Sample = normalized_by(self._source, apart, training)
        return normalized | {"image": combined(normalized["image"], self._config)}

    def _loader(self, dataset: Dataset[Sample], size: int, *, shuffle: bool, drop_last: bool) -> DataLoader[Sample]:
        return DataLoader(
            dataset,
            batch_size=size,
            sampler=SeededOrder(len(dataset), self._config.train.seed) if shuffle else None,  # type: ignore[arg-type]
            drop_last=drop_last,
            num_workers=self._config.data.workers,
            persistent_workers=self._config.data.workers > 0,
            pin_memory=takes_gpu(self._config.train.device),
            collate_fn=self._collate,
            generator=torch.Generator().manual_seed(self._config.train.seed),
        )
