"""A batch as a datamodule's own hooks make it, though another one is being trained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from torchgeo.datamodules import BaseDataModule

from terrasweep.results.errors import DataError, raise_out_of_memory

Sample = dict[str, Any]


def normalized_by(datamodule: pl.LightningDataModule, batch: Mapping[str, Any], training: bool) -> Sample:
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
        raise DataError(f"{datamodule_name(datamodule)} fails on a batch: {reason_of(error)}") from error
    if not isinstance(made, Mapping):
        raise DataError(f"{datamodule_name(datamodule)} makes a {type(made).__name__} of a batch; return the dict")
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


def datamodule_name(datamodule: pl.LightningDataModule) -> str:
    """How a line names a datamodule: by the key that gave it."""
    kind = type(datamodule)
    return f"data.datamodule={kind.__module__}.{kind.__qualname__}"


def reason_of(error: BaseException) -> str:
    """The first line of an error, with its kind where the text alone says too little."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    return text if len(text.split()) > 2 else f"{type(error).__name__}: {text}".rstrip(": ")
