"""Lightning's Trainer for fake tensors, which are those of a CPU whatever they stand for."""

from __future__ import annotations

from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.strategies import SingleDeviceStrategy

from terrasweep.config.schema import TrialConfig
from terrasweep.training.trainer import NEVER, training_settings


class FakeAccelerator(Accelerator):
    """A device that is always there, and that nobody has to prepare."""

    def setup_device(self, device: torch.device) -> None:
        """There is nothing to set up."""

    def teardown(self) -> None:
        """There is nothing to give back."""

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        """It has none."""
        return {}

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        """As they are given."""
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> Any:
        """One."""
        return [torch.device("cpu")]

    @staticmethod
    def auto_device_count() -> int:
        """One."""
        return 1

    @staticmethod
    def is_available() -> bool:
        """Always."""
        return True

    @staticmethod
    def name() -> str:
        """Lightning wants one."""
        return "fake"


class FakeStrategy(SingleDeviceStrategy):
    """One device; the model is there already, and stays: torch can't move modules of fake tensors that are watched."""

    def model_to_device(self) -> None:
        """It is there."""

    def teardown(self) -> None:
        """It stays there."""


def build_fake_trainer(config: TrialConfig, callbacks: list[Callback]) -> pl.Trainer:
    """A Trainer with a trial's settings, for two steps on fake tensors.

    Args:
        config: The trial.
        callbacks: What listens.
    """
    accelerator, cpu = FakeAccelerator(), torch.device("cpu")
    strategy = FakeStrategy(cpu, accelerator=accelerator, precision_plugin=_precision(config))
    return pl.Trainer(
        strategy=strategy, val_check_interval=NEVER, callbacks=callbacks, **training_settings(config, steps=2)
    )


def _precision(config: TrialConfig) -> Precision:
    if config.precision.name == "fp32":
        return Precision()
    plugin = MixedPrecision("bf16-mixed", "cpu")
    # Made for 16-mixed it would scale the loss, look for infinite gradients, and take none to be finite.
    plugin.precision = cast("Any", config.precision.lightning)
    return plugin
