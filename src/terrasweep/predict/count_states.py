"""Exact bytes of weights, gradients and optimizer state, of a built model or of one that exists on paper alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.models.assemble import build_untransformed, planned_classes, without_weights
from terrasweep.models.backbones.registry import on_paper
from terrasweep.models.transforms.adapters import apply_tuning, split_fused
from terrasweep.models.transforms.frozen_storage import store_in_bf16
from terrasweep.models.transforms.quantization import all_but_largest
from terrasweep.models.transforms.quantize import layers_to_keep, logical_parameters, quantizable, stored_bytes
from terrasweep.models.transforms.unfrozen import unfrozen_blocks
from terrasweep.predict.memory_needs import ModelCounts, optimizer_bytes, packed_bytes


def state_bytes(counts: ModelCounts, optimizer: OptimizerConfig) -> dict[str, int]:
    """What a model's training keeps besides its weights: ``gradient_bytes`` and ``optimizer_bytes``."""
    return {
        "gradient_bytes": counts.gradient_bytes,
        "optimizer_bytes": optimizer_bytes(counts.trainable_sizes, optimizer),
    }


def count_built(model: nn.Module) -> ModelCounts:
    """The counts of a model that is there, quantized or not, before ZeRO divides it."""
    counts = _counts(model, lambda parameter: None if parameter.is_floating_point() else _size(parameter))
    return dataclasses.replace(
        counts,
        quantized_parameters=logical_parameters(model) - counts.trainable_parameters - counts.frozen_parameters,
        constant_bytes=stored_bytes(model) - counts.weight_bytes,
    )


def count_planned(config: TrialConfig) -> tuple[ModelCounts, list[str]]:
    """The counts of the model that a configuration describes, from shapes alone.

    The model is built on torch's ``meta`` device, split and adapted as a trial would; nothing is loaded, quantized or
    read. Where a backbone's own code reads values while it is built, it is built for good, on the CPU.

    Returns:
        The counts, and what had to be assumed, a sentence each.

    Raises:
        InvalidConfig: TerraTorch or PEFT refuses the configuration, or a transformation would touch nothing.
    """
    model, layers, notes = on_paper(lambda: _build(config))
    scheme = config.quantization.name
    packed = {id(layer.weight): packed_bytes(layer.out_features, layer.weight.numel(), scheme) for layer in layers}

    def size(parameter: nn.Parameter) -> int | None:
        return packed[id(parameter)][0] if id(parameter) in packed else None

    counts = _counts(model, size)
    return dataclasses.replace(counts, constant_bytes=sum(constants for _, constants in packed.values())), notes


def _build(config: TrialConfig) -> tuple[nn.Module, list[nn.Linear], list[str]]:
    """The model without weights of its own, the layers that a trial would quantize, and what was assumed."""
    model = build_untransformed(without_weights(config), planned_classes(config))
    split_fused(model.encoder, config.tuning.targets)
    layers, notes = _quantized(model.encoder, config)
    apply_tuning(model.encoder, config.tuning)
    if config.tuning.frozen_dtype == "bf16":
        store_in_bf16(model.encoder, layers)
    if config.tuning.initialisation != "default":
        notes.append(
            f"tuning.initialisation={config.tuning.initialisation}: adapters start elsewhere, and take the same bytes."
        )
    return model, layers, notes


def _quantized(encoder: nn.Module, config: TrialConfig) -> tuple[list[nn.Linear], list[str]]:
    quantization = config.quantization
    if quantization.name == "none":
        return [], []
    names = quantizable(encoder, quantization, unfrozen_blocks(encoder, config.tuning))
    layers: list[Any] = [encoder.get_submodule(name) for name in names]
    if quantization.skip != "auto":
        return layers, []
    kept = layers_to_keep(quantization, len(layers))
    layers = [encoder.get_submodule(name) for name in all_but_largest(encoder, quantization, names)]
    note = (
        f"quantization.skip=auto: which {kept} layers stay in full precision is found on the data; the largest are "
        "assumed, so that the weights need no more than this."
    )
    return layers, [note]


def _counts(model: nn.Module, packed: Callable[[nn.Parameter], int | None]) -> ModelCounts:
    """Sum up a model; ``packed`` gives the bytes of a quantized weight, and None for any other parameter."""
    parameters = list(model.parameters())
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]

    def own(module: nn.Module) -> Iterator[nn.Parameter]:
        return module.parameters(recurse=False)

    def frozen_size(parameter: nn.Parameter) -> int:
        size = packed(parameter)
        return _size(parameter) if size is None else size

    return ModelCounts(
        trainable_sizes=tuple(parameter.numel() for parameter in learning),
        trainable_bytes=sum(map(_size, learning)),
        frozen_parameters=sum(parameter.numel() for parameter in frozen if packed(parameter) is None),
        frozen_bytes=sum(_size(parameter) for parameter in frozen if packed(parameter) is None),
        quantized_parameters=sum(parameter.numel() for parameter in frozen if packed(parameter) is not None),
        quantized_bytes=sum(packed(parameter) or 0 for parameter in frozen),
        constant_bytes=0,
        buffer_bytes=sum(map(_size, model.buffers())),
        largest_trainable_layer=max(sum(p.numel() for p in own(m) if p.requires_grad) for m in model.modules()),
        largest_frozen_layer_bytes=max(
            sum(frozen_size(p) for p in own(m) if not p.requires_grad) for m in model.modules()
        ),
    )


def _size(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()
