"""Opens a data set for training: TerraTorch's datamodule over listed files, or the user's own, kept in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
from terratorch.datamodules import GenericMultiModalDataModule
from torch.utils.data import Dataset

from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.root_folders import scenes
from terrasweep.data.find.sample_list import LABEL_ENDING, MASK, PIXEL_TASKS, Listing
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.open import public
from terrasweep.data.open.datamodule_hooks import Sample
from terrasweep.data.open.frames import with_coordinates
from terrasweep.data.open.pixels import of_pixels_alone
from terrasweep.data.open.split_data import OpenData, SplitData
from terrasweep.data.synthetic import SyntheticScenes
from terrasweep.results.errors import DataError, TerrasweepError, first_line, raise_out_of_memory

TASK_NAMES = {"multilabel": "multilabel_classification"}
"""TerraTorch's names of tasks, where they differ from ours."""


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
