"""DeepSpeed's ZeRO (Rajbhandari et al. 2020, 2021) through Lightning's strategy, on CUDA and on a CPU alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins.precision import DeepSpeedPrecision
from lightning.pytorch.strategies import DeepSpeedStrategy
from torch import nn
from torchmetrics import Metric

from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.machine.files import write_atomically
from terrasweep.machine.locks import locked
from terrasweep.models.offload.deepspeed_settings import Sizes, deepspeed_config
from terrasweep.models.offload.extensions import (
    extensions_folder,
    mark_compiled,
    remove_stale_locks,
)


class _TypesAsBuilt(DeepSpeedPrecision):
    """Lightning's own would widen frozen weights that are stored in 16 bits."""

    def convert_module(self, module: nn.Module) -> nn.Module:
        return module


class ZeroStrategy(DeepSpeedStrategy):
    """Lightning's strategy for one process, without its refusal of CPUs."""

    def __init__(self, settings: dict[str, Any], device: torch.device, folder: Path, parts: int) -> None:
        """Hold what DeepSpeed will be given.

        Args:
            settings: DeepSpeed's.
            device: The trial's.
            folder: Takes the settings as ``deepspeed_config.json``, as DeepSpeed is given them.
            parts: Backward passes per optimizer step, of which Lightning knows nothing.
        """
        import_deepspeed(device)
        self._device, self._folder, self._parts = device, folder, parts
        super().__init__(
            config=settings,
            parallel_devices=[device],
            cluster_environment=LightningEnvironment(),
            process_group_backend="nccl" if device.type == "cuda" else "gloo",
            precision_plugin=_TypesAsBuilt("32-true"),
        )

    @property
    def root_device(self) -> torch.device:
        """The trial's device; Lightning's own property knows GPUs alone."""
        return self._device

    def setup_environment(self) -> None:
        """As Lightning does, less the check for a GPU."""
        super(DeepSpeedStrategy, self).setup_environment()

    def begin_part(self, *, is_last: bool) -> None:
        """Before the forward pass of a part of a batch: DeepSpeed counts parts by its own forward passes."""
        engine: Any = self.model
        engine.set_gradient_accumulation_boundary(is_last)
        engine.optimizer.clear_backward_seen_flag()

    def init_deepspeed(self) -> None:
        """Hand the model to DeepSpeed for the training, or after it, when Lightning has sent all to the CPU."""
        model = self.lightning_module
        assert model is not None
        self.config = {**(self.config or {}), "gradient_accumulation_steps": self._parts}
        if model.trainer.training:
            write_atomically(self._folder / "deepspeed_config.json", json.dumps(self.config, indent=2) + "\n")
        if self.zero_stage_3:
            if model.trainer.training:
                # One parameter after the other to the host: the whole model need never fit the device.
                import_deepspeed(self._device).zero.Init(module=model, config_dict_or_path=self.config)
            place_unpartitioned(model, self._device)
        super().init_deepspeed()
        if model.trainer.training:
            read_each_once(model)


def read_each_once(model: nn.Module) -> None:
    """Have DeepSpeed read a parameter from the disk once where it asks for it twice in one go.

    It reads ahead whatever of its trace is not there. In a short model that computes batches in parts, a parameter may
    stand in the trace twice within that reach, and its second reading fails ("already assigned swap buffer").

    Args:
        model: After DeepSpeed has taken it; without parameters on a disk it stays as it is.
    """
    readers = {id(reader): reader for p in model.parameters() if (reader := getattr(p, "nvme_swapper", None))}
    for reader in readers.values():
        reader.swap_in = _reading_each_once(reader.swap_in)


def _reading_each_once(swap_in: Callable[..., None]) -> Callable[..., None]:
    def swap_in_once(params: Sequence[Any], async_op: bool = True, swap_in_buffers: Any = None) -> None:
        if swap_in_buffers is None:  # Otherwise each has the buffer at its place.
            params = list({param.ds_id: param for param in params}.values())
        swap_in(params, async_op=async_op, swap_in_buffers=swap_in_buffers)

    return swap_in_once


def place_unpartitioned(model: nn.Module, device: torch.device) -> None:
    """Move to the device what ZeRO-3 does not manage: buffers, metrics' states, the constants of low-bit weights.

    DeepSpeed leaves a module with partitioned parameters where it is.
    """
    for module in model.modules():
        if isinstance(module, Metric):
            module.to(device)
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    for parameter in model.parameters():
        parameter.data = parameter.data.to(device)  # Empty where it is partitioned.
        if (state := getattr(parameter, "quant_state", None)) is not None:
            state.to(device)


def zero_strategy(config: TrialConfig, model: nn.Module, device: torch.device, folder: Path) -> ZeroStrategy:
    """The strategy of a configuration whose offload is one of ZeRO's."""
    sizes = Sizes(
        trainable=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        largest=max(parameter.numel() for parameter in model.parameters()),
    )
    settings = deepspeed_config(config, sizes, pin_memory=device.type == "cuda")
    return ZeroStrategy(settings, torch.device(device.type, device.index or 0), folder, config.train.accumulate)


def import_deepspeed(device: torch.device) -> Any:
    """Import DeepSpeed for a device, with its extensions where terrasweep keeps them, and none to compile needlessly.

    Returns:
        The package.
    """
    startup.set_up_deepspeed(device.type, extensions_folder(device.type))
    import deepspeed

    # What it could compile: nothing. It would look for compilers, and build shared memory between ranks for minutes.
    deepspeed.ops.__compatible_ops__ = {}
    return deepspeed


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A parameter with all its elements, also where ZeRO-3 keeps it in parts; another tensor as it is."""
    if not hasattr(tensor, "ds_id"):
        return tensor
    import deepspeed

    with deepspeed.zero.GatheredParameters([tensor]):
        return tensor.detach().clone()


def assign(tensor: torch.Tensor, values: torch.Tensor) -> None:
    """Write values into a parameter or buffer, also where ZeRO-3 keeps it in parts."""
    if not hasattr(tensor, "ds_id"):
        tensor.copy_(values)
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters([tensor], modifier_rank=0):
        tensor.copy_(values)


def compile_extensions(device: torch.device) -> None:
    """Compile what NVMe needs, under a lock; what a killed build left behind is cleared away first."""
    folder = extensions_folder(device.type)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".terrasweep.lock"):
        for lock in remove_stale_locks(device.type):
            print(f"removed the stale lock of a build that was killed: {lock}", flush=True)
        import_deepspeed(device)
        from deepspeed.ops.op_builder import AsyncIOBuilder

        AsyncIOBuilder().load()
        mark_compiled(device.type)
