"""Public data sets, and whatever else a LightningDataModule reads, opened."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Mapping
from typing import Any

import lightning.pytorch as pl
from torch.utils.data import Dataset, IterableDataset
from torchgeo.datasets import GeoDataset

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.datamodule_hooks import Sample, datamodule_name, reason_of
from terrasweep.data.open.public_sources import DATAMODULE_EXAMPLE, find_absent, find_bad_path
from terrasweep.machine.paths import absolute, home
from terrasweep.results.errors import DataError, InvalidConfig, raise_out_of_memory


def open_datamodule(config: TrialConfig) -> pl.LightningDataModule:
    """Build ``data.datamodule`` with ``data.arguments``, and set it up for training and validation.

    Raises:
        InvalidConfig: There is no such class, it is no LightningDataModule, or it refuses its arguments.
        DataError: Its data are not there, or can't be opened.
        DeviceOutOfMemory, HostOutOfMemory: They don't fit.
    """
    if absent := find_absent(config):
        raise DataError(absent)
    kind = _datamodule_class(config)
    try:
        datamodule: pl.LightningDataModule = kind(**built_with(config))
    except InvalidConfig:
        raise
    except (Exception, SystemExit) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(f"data.arguments: {kind.__name__} refuses them: {reason_of(error)}") from error
    try:
        datamodule.prepare_data()
        datamodule.setup("fit")
        datamodule.setup("validate")
    except (Exception, SystemExit) as error:
        raise_out_of_memory(error)
        raise DataError(f"data.root={config.data.root}: {kind.__name__} can't open it: {reason_of(error)}") from error
    return datamodule


def built_with(config: TrialConfig) -> dict[str, Any]:
    """What ``data.datamodule`` is built with: ``data.arguments``, with its folder and the names of its bands put in.

    An argument that is ``data.root``, or begins with it, becomes absolute. A mapping of names under ``bands`` is the
    set's own name of each of ``data.bands``, and becomes the list of those that are asked for.

    Raises:
        InvalidConfig: ``data.bands`` has a name that the mapping lacks.
    """
    data = config.data
    arguments = dict(data.arguments)
    for name, value in arguments.items():
        if isinstance(value, str) and data.root and (value == data.root or value.startswith(f"{data.root}/")):
            arguments[name] = str(absolute(value))
    names = arguments.get("bands")
    if isinstance(names, Mapping) and names and all(isinstance(own, str) for own in names.values()):
        if unknown := [band for band in data.bands if band not in names]:
            raise InvalidConfig(f"data.bands: data={data.name} has no {', '.join(unknown)}; it has {', '.join(names)}")
        arguments["bands"] = [names[band] for band in data.bands]
    return arguments


def datasets(datamodule: pl.LightningDataModule, *, test: bool = False) -> dict[str, Dataset[Sample]]:
    """The samples of ``train`` and ``val``, by place.

    Args:
        datamodule: Set up for both.
        test: Also ``test``, where there is one. It is set up here, since a trial doesn't need it.

    Raises:
        DataError: A split has no dataset, its samples can't be counted and read by place, or they are no dicts with an
            image and a mask or label.
    """
    found = {split: _dataset(datamodule, split) for split in ("train", "val")}
    if test and (extra := _test_dataset(datamodule, found["val"])) is not None:
        found["test"] = extra
    return found


def open_splits(
    config: TrialConfig, wanted: Collection[str]
) -> tuple[pl.LightningDataModule, dict[str, Dataset[Sample]]]:
    """``data.datamodule``, and the splits of it that are wanted.

    Raises:
        InvalidConfig, DataError, DeviceOutOfMemory, HostOutOfMemory: As for :func:`open_datamodule` and
            :func:`datasets`; a split is not there.
    """
    datamodule = open_datamodule(config)
    found = datasets(datamodule, test="test" in wanted)
    if lacking := [split for split in wanted if split not in found]:
        raise DataError(f"{datamodule_name(datamodule)}: it gives no split {lacking[0]}")
    return datamodule, {split: found[split] for split in wanted}


def _datamodule_class(config: TrialConfig) -> type[pl.LightningDataModule]:
    if bad := next(find_bad_path(config), None):
        raise InvalidConfig(bad)
    path = config.data.datamodule or ""
    module, _, name = path.rpartition(".")
    if str(home()) not in sys.path:
        # So that a file beside sweep.py is found, whatever command runs and from wherever.
        sys.path.append(str(home()))
    try:
        kind = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:
        raise_out_of_memory(error)
        reason = f"it can't be imported: {reason_of(error)}"
        raise InvalidConfig(f"data.datamodule={path}: {reason}; {DATAMODULE_EXAMPLE}") from error
    if not (isinstance(kind, type) and issubclass(kind, pl.LightningDataModule)):
        raise InvalidConfig(
            f"data.datamodule={path}: it is no lightning.pytorch.LightningDataModule; {DATAMODULE_EXAMPLE}"
        )
    return kind


def _dataset(datamodule: pl.LightningDataModule, split: str) -> Dataset[Sample]:
    dataset = getattr(datamodule, f"{split}_dataset", None)
    if dataset is None:
        try:
            loader = getattr(datamodule, f"{split}_dataloader")()
        except Exception as error:
            raise_out_of_memory(error)
            raise DataError(f"{datamodule_name(datamodule)} has no {split} samples: {reason_of(error)}") from error
        if isinstance(loader, (list, tuple)) and len(loader) == 1:
            loader = loader[0]
        dataset = getattr(loader, "dataset", None)
    by_place = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not by_place or isinstance(dataset, (IterableDataset, GeoDataset)):
        kind = type(loader if dataset is None else dataset).__name__
        raise DataError(
            f"{datamodule_name(datamodule)} reads its {split} samples from a {kind}, not by place; write them as tiles "
            "into a folder (docs/data.md), or wrap them in a Dataset with a length"
        )
    samples: Any = dataset
    if len(samples):
        _check_sample(datamodule, split, samples[0])
    checked: Dataset[Sample] = samples
    return checked


def _check_sample(datamodule: pl.LightningDataModule, split: str, sample: Any) -> None:
    keys = [str(key) for key in sample] if isinstance(sample, Mapping) else []
    if "image" not in keys or not {"mask", "label"} & set(keys):
        shown = f"a dict of {', '.join(keys)}" if keys else f"a {type(sample).__name__}"
        raise DataError(
            f"{datamodule_name(datamodule)}: a {split} sample is {shown}; give a dict with image, and with mask or "
            "label"
        )


def _test_dataset(datamodule: pl.LightningDataModule, validation: Dataset[Sample]) -> Dataset[Sample] | None:
    try:
        datamodule.setup("test")
        found = _dataset(datamodule, "test")
    except Exception as error:  # noqa: BLE001 - whatever the user's datamodule raises
        raise_out_of_memory(error)
        # A set without one says so in its own way.
        return None
    splits = [getattr(dataset, "split", None) for dataset in (found, validation)]
    # Some, BurnScars among them, call their validation split test.
    same = found is validation or (splits[0] is not None and splits[0] == splits[1])
    return None if same else found
