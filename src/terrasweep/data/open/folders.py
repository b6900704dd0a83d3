"""Opens a data set for training: TerraTorch's datamodule over listed files, or the user's own, kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities import move_data_to_device
from terratorch.datamodules import GenericMultiModalDataModule
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.root_folders import scenes
from terrasweep.data.find.sample_list import LABEL_ENDING, MASK, PIXEL_TASKS, Listing
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.open import public
from terrasweep.data.open.frames import combined, with_coordinates, with_frames
from terrasweep.data.open.pixels import of_pixels_alone
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.machine.device import takes_gpu
from terrasweep.results.errors import DataError, TerrasweepError, first_line, raise_out_of_memory

Sample = dict[str, Any]
TASK_NAMES = {"multilabel": "multilabel_classification"}
"""TerraTorch's names of tasks, where they differ from ours."""


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
        normalized: Sample = public.normalized(self._source, apart, training)
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


def open_data(config: TrialConfig) -> OpenData:
    """Open the training and validation split of a data set that was prepared.

    Args:
        config: With what :func:`terrasweep.data.stored.complete` fills in.

    Raises:
        DataError: Files are missing, unreadable or empty.
        InvalidConfig: The datamodule can't be had, or refuses its arguments.
        DeviceOutOfMemory, HostOutOfMemory: They don't fit.
    """
    return _open(config, ("train", "val"))


def open_test(config: TrialConfig) -> OpenData:
    """Open the test split, and no other, as what is evaluated in the place of the validation split.

    Args:
        config: As for :func:`open_data`.

    Raises:
        DataError, InvalidConfig, DeviceOutOfMemory, HostOutOfMemory: As for :func:`open_data`; there is no test split.
    """
    # Each sample is read once.
    return _open(replace(config, data=replace(config.data, in_memory=False)), ("test",))


def _open(config: TrialConfig, wanted: tuple[str, ...]) -> OpenData:
    class_names = list(SyntheticScenes.CLASSES) if config.data.name == "synthetic" else config.data.class_names
    classes = 1 if config.task.name == "regression" else config.data.num_classes or len(class_names or ())
    try:
        if config.data.datamodule is not None:
            source, found = public.open_splits(config, wanted)
        else:
            listing = stored.read_listing(config)
            source = build_datamodule(config, classes, listing)
            found = _listed_splits(source, listing, config, wanted)
        data = SplitData(source, found, config)
    except TerrasweepError:
        raise
    except Exception as error:
        raise_out_of_memory(error)
        raise DataError(f"data.root={config.data.root}: {first_line(error)}") from error
    return OpenData(data, classes, class_names)


def _listed_splits(
    source: pl.LightningDataModule, listing: Listing, config: TrialConfig, wanted: tuple[str, ...]
) -> dict[str, Dataset[Sample]]:
    if lacking := [split for split in wanted if split not in listing.names]:
        raise DataError(f"data.root={config.data.root}: there is no split {lacking[0]}; see docs/data.md")
    source.setup("test" if wanted == ("test",) else "fit")
    splits = {split: getattr(source, f"{split}_dataset") for split in wanted}
    _check_complete(splits, listing)
    return {split: with_coordinates(samples, split, listing, config) for split, samples in splits.items()}


def _check_complete(splits: dict[str, Any], listing: Listing) -> None:
    """TerraTorch passes over samples whose files are gone."""
    for split, samples in splits.items():
        if gone := len(listing.names[split]) - len(samples):
            raise DataError(
                f"{next(iter(listing.image_roots[split].values()))}: {gone} samples of {split} are gone since the data "
                "were listed; bring them back, or start again"
            )


def datamodule_arguments(config: TrialConfig, num_classes: int, listing: Listing) -> dict[str, Any]:
    """What TerraTorch's GenericMultiModalDataModule reads the listed files with, as plain values."""
    images = listing.modalities
    means, stds = _statistics(config)
    arguments: dict[str, Any] = {
        "task": TASK_NAMES.get(config.task.name, config.task.name),
        "batch_size": config.train.batch_size,
        "num_workers": 0,
        "num_classes": num_classes,
        "modalities": images,
        "image_grep": {name: f"*{listing.suffixes[name]}" for name in images},
        "label_grep": f"*{listing.suffixes.get(MASK, LABEL_ENDING)}",
        "means": means,
        "stds": stds,
        "rgb_indices": {images[0]: [0]},
        "allow_substring_file_names": False,
        "concat_bands": not config.data.modalities,
        "no_data_replace": config.data.no_data_replace,
        "no_label_replace": config.task.ignore_index if config.task.name in PIXEL_TASKS else None,
        "check_stackability": False,
    }
    for split in listing.names:
        arguments |= {
            f"{split}_data_root": listing.image_roots[split],
            f"{split}_label_data_root": str(listing.label_root(split)),
            f"{split}_split": str(listing.split_file(split)),
        }
    return arguments


def build_datamodule(config: TrialConfig, num_classes: int, listing: Listing) -> GenericMultiModalDataModule:
    """TerraTorch's datamodule over the listed files."""
    import albumentations

    size = config.data.resize_px
    steps = [albumentations.Resize(size, size), albumentations.ToTensorV2()] if size else None
    transforms = {f"{split}_transform": steps for split in ("train", "val", "test")} if steps else {}
    source = GenericMultiModalDataModule(**datamodule_arguments(config, num_classes, listing), **transforms)
    source.dataset_class = of_pixels_alone(source.dataset_class)
    return source


def _statistics(config: TrialConfig) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    data = config.data
    if data.modalities:
        given = data.modalities.items()
        return {name: m.means or [] for name, m in given}, {name: m.stds or [] for name, m in given}
    if data.means is not None and data.stds is not None:
        return {IMAGE: data.means}, {IMAGE: data.stds}
    domain = scenes(config).domain
    return {IMAGE: list(SyntheticScenes.MEANS[domain])}, {IMAGE: list(SyntheticScenes.STDS[domain])}
