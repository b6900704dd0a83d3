"""Opens a data set: TerraTorch's datamodules on folders of GeoTIFFs, checked and kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from terratorch import datamodules
from torch.utils.data import DataLoader, Dataset

from terrasweep.config import TrialConfig
from terrasweep.data import cache
from terrasweep.data.statistics import read_statistics
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.errors import DataError

Sample = dict[str, Any]


@dataclass(frozen=True)
class OpenData:
    """A data set that is ready to train on."""

    module: pl.LightningDataModule
    num_classes: int
    class_names: list[str] | None

    def training_batch(self, device: torch.device) -> Sample:
        """The first batch of the training split as a step gets it: on the device, normalized."""
        batch = next(iter(self.module.train_dataloader()))
        batch = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
        normalized: Sample = self.module.on_after_batch_transfer(batch, 0)
        return normalized


class InMemory(Dataset[Sample]):
    """Every sample of a dataset, read once. Its tensors are handed out as they are: no transform may alter them."""

    def __init__(self, dataset: Dataset[Sample]) -> None:
        self._samples = [dataset[index] for index in range(len(dataset))]  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


class SplitData(pl.LightningDataModule):
    """The two splits that a trial needs, with TerraTorch's normalization on the device and a seeded order."""

    def __init__(self, source: Any, config: TrialConfig) -> None:
        super().__init__()
        self._source, self._config = source, config
        self._train = self._opened(source.train_dataset, "train")
        self._val = self._opened(source.val_dataset, "val")

    def _opened(self, dataset: Dataset[Sample], split: str) -> Dataset[Sample]:
        if len(dataset) == 0:  # type: ignore[arg-type]
            raise DataError(f"data.root={self._config.data.root}: the split {split} has no tiles; see docs/data.md")
        return InMemory(dataset) if self._config.data.in_memory else dataset

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled batches; the last one is dropped where it is smaller, unless it is the only one."""
        few = len(self._train) < self._config.train.batch_size  # type: ignore[arg-type]
        return self._loader(self._train, shuffle=True, drop_last=not few)

    def val_dataloader(self) -> DataLoader[Sample]:
        """All validation tiles, in order."""
        return self._loader(self._val, shuffle=False, drop_last=False)

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Normalize as the datamodule does; the batch's own tensors stay as they were read."""
        normalized: Sample = self._source.aug(dict(batch))
        return {key: value for key, value in normalized.items() if key != "filename"}

    def _loader(self, dataset: Dataset[Sample], *, shuffle: bool, drop_last: bool) -> DataLoader[Sample]:
        return DataLoader(
            dataset,
            batch_size=self._config.train.batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            num_workers=self._config.data.workers,
            persistent_workers=self._config.data.workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self._config.train.seed),
        )


def open_data(config: TrialConfig) -> OpenData:
    """Open the training and validation split.

    Raises:
        DataError: Files are missing, unreadable, empty or don't fit the configuration.
    """
    root = cache.tiles_folder(config)
    class_names = list(SyntheticScenes.CLASSES) if config.data.name == "synthetic" else config.data.class_names
    classes = config.data.num_classes or len(class_names or ())
    try:
        source = _datamodule(config, root, classes)
        source.setup("fit")
        source.setup("validate")
        if config.task.name == "segmentation":
            _check_pairs(config, root)
        data = SplitData(source, config)
    except DataError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise DataError(f"data.root={root}: {reason[0] if reason else type(error).__name__}") from error
    _check_first_sample(data, config, classes)
    return OpenData(data, classes, class_names)


def _datamodule(config: TrialConfig, root: Path, num_classes: int) -> Any:
    name, arguments = datamodule_arguments(config, root, num_classes)
    return getattr(datamodules, name)(**arguments)


def datamodule_arguments(config: TrialConfig, root: Path, num_classes: int) -> tuple[str, dict[str, Any]]:
    """Which of TerraTorch's datamodules reads a configuration's tiles: its name, and what it is built with."""
    means, stds = _statistics(config)
    common: dict[str, Any] = {
        "batch_size": config.train.batch_size,
        "num_workers": 0,
        "num_classes": num_classes,
        "means": means,
        "stds": stds,
        "check_stackability": False,
    }
    if config.task.name == "segmentation":
        common |= {
            f"{split}_{kind}": root / split / folder
            for split in ("train", "val", "test")
            for kind, folder in (("data_root", "images"), ("label_data_root", "masks"))
        }
        return "GenericNonGeoSegmentationDataModule", common | {
            "img_grep": config.data.image_glob,
            "label_grep": config.data.mask_glob,
            "no_label_replace": config.task.ignore_index,
            "no_data_replace": config.data.no_data_replace,
        }
    base = root / "scenes" if config.data.name == "synthetic" else root
    common |= {f"{split}_data_root": base / split for split in ("train", "val", "test")}
    if config.data.no_data_replace is not None:
        common["no_data_replace"] = config.data.no_data_replace
    return "GenericNonGeoClassificationDataModule", common


def _statistics(config: TrialConfig) -> tuple[list[float], list[float]]:
    if config.data.means is not None and config.data.stds is not None:
        return config.data.means, config.data.stds
    if config.data.name == "synthetic":
        domain = cache.scenes(config).domain
        return list(SyntheticScenes.MEANS[domain]), list(SyntheticScenes.STDS[domain])
    return read_statistics(cache.statistics_file(config))


def _check_pairs(config: TrialConfig, root: Path) -> None:
    """Every image has its mask; TerraTorch pairs them by their order, and takes images for missing masks."""
    for split in ("train", "val"):
        images = len(list((root / split / "images").glob(config.data.image_glob)))
        masks = len(list((root / split / "masks").glob(config.data.mask_glob)))
        if images != masks:
            raise DataError(
                f"data.root={root}: {split} has {images} images and {masks} masks; give each image its mask"
            )


def _check_first_sample(data: SplitData, config: TrialConfig, num_classes: int) -> None:
    batch = next(iter(data.train_dataloader()))
    bands = batch["image"].shape[1]
    if bands != len(config.data.bands):
        names = len(config.data.bands)
        raise DataError(f"data.bands names {names} bands, the files have {bands}; correct data.bands")
    if batch["image"].shape[-1] != config.data.tile_px or batch["image"].shape[-2] != config.data.tile_px:
        height, width = batch["image"].shape[-2:]
        raise DataError(f"data.tile_px={config.data.tile_px}: the tiles are {height} x {width} pixels; correct it")
    if not torch.isfinite(batch["image"]).all():
        raise DataError(
            f"data.root={config.data.root}: an image has no-data or NaN pixels; fill them, or set data.no_data_replace"
        )
    labels = batch["mask" if config.task.name == "segmentation" else "label"]
    counted = labels[labels != config.task.ignore_index]
    if counted.numel() and (int(counted.max()) >= num_classes or int(counted.min()) < 0):
        raise DataError(
            f"data.num_classes={num_classes}: the labels run from {int(counted.min())} to {int(counted.max())}; "
            "raise data.num_classes, or set task.ignore_index"
        )
