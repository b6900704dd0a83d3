"""Public data sets, and whatever else a LightningDataModule reads: opened, and applied as in a Trainer."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import Dataset, IterableDataset
from torchgeo.datamodules import BaseDataModule
from torchgeo.datasets import GeoDataset

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.public_sources import DATAMODULE_EXAMPLE, find_absent, find_bad_path
from terrasweep.machine.paths import absolute, home
from terrasweep.results.errors import DataError, InvalidConfig, raise_out_of_memory

Sample = dict[str, Any]


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
        raise InvalidConfig(f"data.arguments: {kind.__name__} refuses them: {_reason(error)}") from error
    try:
        datamodule.prepare_data()
        datamodule.setup("fit")
        datamodule.setup("validate")
    except (Exception, SystemExit) as error:
        raise_out_of_memory(error)
        raise DataError(f"data.root={config.data.root}: {kind.__name__} can't open it: {_reason(error)}") from error
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
        raise DataError(f"{_named(datamodule)}: it gives no split {lacking[0]}")
    return datamodule, {split: found[split] for split in wanted}


def normalized(datamodule: pl.LightningDataModule, batch: Mapping[str, Any], training: bool) -> Sample:
    """A batch as the datamodule's own hooks make it after the transfer to the device.

    Args:
        datamodule: Its ``on_before_batch_transfer`` and ``on_after_batch_transfer`` are applied; TorchGeo's normalizes
            and augments.
        batch: On the device. Its tensors stay as they are.
        training: Whether it is a training batch, which some augment.

    Returns:
        Images in float32; masks of shape (B, 1, H, W) become (B, H, W).

    Raises:
        DataError: A hook fails, or gives something else than a dict.
        DeviceOutOfMemory, HostOutOfMemory: A hook asks for too much memory.
    """
    copied = _copied(batch, deep=not _leaves_tensors(datamodule))
    copied["image"] = _in_float32(copied["image"])
    try:
        with _stand_in(datamodule, training):
            made: Any = datamodule.on_before_batch_transfer(copied, 0)
            made = datamodule.on_after_batch_transfer(made, 0)
    except Exception as error:
        raise_out_of_memory(error)
        raise DataError(f"{_named(datamodule)} fails on a batch: {_reason(error)}") from error
    if not isinstance(made, Mapping):
        raise DataError(f"{_named(datamodule)} makes a {type(made).__name__} of a batch; return the dict")
    result = dict(made)
    mask = result.get("mask")
    if isinstance(mask, torch.Tensor) and mask.ndim == 4 and mask.shape[1] == 1:
        result["mask"] = mask.squeeze(1)
    return result


@dataclass(frozen=True, kw_only=True)
class TrainerState:
    """What the hooks of datamodules ask a Trainer."""

    training: bool
    validating: bool
    evaluating: bool
    sanity_checking: bool = False
    testing: bool = False
    predicting: bool = False


@contextmanager
def _stand_in(datamodule: pl.LightningDataModule, training: bool) -> Iterator[None]:
    """The trainer that a datamodule sees, while it is another one that is being trained with."""
    before = datamodule.trainer
    state: Any = TrainerState(training=training, validating=not training, evaluating=not training)
    datamodule.trainer = state
    try:
        yield
    finally:
        datamodule.trainer = before


def _leaves_tensors(datamodule: pl.LightningDataModule) -> bool:
    """Whether its hooks are TorchGeo's, which make new tensors; those of others may alter a batch in place."""
    kind = type(datamodule)
    own = kind.on_before_batch_transfer is not pl.LightningDataModule.on_before_batch_transfer
    return kind.on_after_batch_transfer is BaseDataModule.on_after_batch_transfer and not own


def _copied(value: Any, *, deep: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner, deep=deep) for key, inner in value.items()}
    return value.clone() if deep and isinstance(value, torch.Tensor) else value


def _in_float32(images: Any) -> Any:
    if isinstance(images, Mapping):
        return {name: _in_float32(image) for name, image in images.items()}
    return images.float()


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
        reason = f"it can't be imported: {_reason(error)}"
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
            raise DataError(f"{_named(datamodule)} has no {split} samples: {_reason(error)}") from error
        if isinstance(loader, (list, tuple)) and len(loader) == 1:
            loader = loader[0]
        dataset = getattr(loader, "dataset", None)
    by_place = hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")
    if not by_place or isinstance(dataset, (IterableDataset, GeoDataset)):
        kind = type(loader if dataset is None else dataset).__name__
        raise DataError(
            f"{_named(datamodule)} reads its {split} samples from a {kind}, not by place; write them as tiles into a "
            "folder (docs/data.md), or wrap them in a Dataset with a length"
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
            f"{_named(datamodule)}: a {split} sample is {shown}; give a dict with image, and with mask or label"
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


def _named(datamodule: pl.LightningDataModule) -> str:
    kind = type(datamodule)
    return f"data.datamodule={kind.__module__}.{kind.__qualname__}"


def _reason(error: BaseException) -> str:
    """The first line of an error, with its kind where the text alone says too little."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    return text if len(text.split()) > 2 else f"{type(error).__name__}: {text}".rstrip(": ")
