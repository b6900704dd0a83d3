"""Where adapters start that stand for a part of the weight: its principal part, or what quantization took away.

PiSSA (Meng et al. 2024) and LoftQ (Li et al. 2023) hand a part of the frozen weight to the adapter, and freeze the
rest, low-bit where quantization is on. What was taken out is kept beside the trained adapter: only with it can the same
frozen weight be made again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from terrasweep.config.schema import TrialConfig
from terrasweep.models.transforms.quantization import compute_dtype
from terrasweep.models.transforms.quantize import quantized, unpacked_weight
from terrasweep.models.transforms.unfinished_model import UnfinishedModel
from terrasweep.results.errors import InvalidConfig

ALTERNATIONS = 5
"""How often LoftQ quantizes and fits in turn: as its authors do."""
_ADAPTER = "default"
"""PEFT's name for the only adapter."""

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class LowRank:
    """The two matrices of an adapter."""

    down: torch.Tensor
    """float32 (rank, in): ``lora_A``."""
    up: torch.Tensor
    """float32 (out, rank): ``lora_B``."""

    def left_of(self, weight: torch.Tensor, scaling: float) -> torch.Tensor:
        """A weight less what the adapter adds to it, float32 (out, in).

        In 64 bits, so that it is the same whatever ``precision.matmul`` says, and on other machines.
        """
        product = self.up.to(weight.device, torch.float64) @ self.down.to(weight.device, torch.float64)
        return (weight.double() - scaling * product).float()


def divide_weights(unfinished: UnfinishedModel, settings: LoraConfig) -> State:
    """Give each adapter a part of its weight, and freeze what is left.

    Args:
        unfinished: Of ``tuning.initialisation=pissa`` or ``loftq``. Its backbone has adapters, and may be quantized.
            Where ``taken_out`` is given, only the frozen weights are made, as they were.
        settings: PEFT's, of these adapters.

    Returns:
        What was taken out of frozen weights, by PEFT's names below the backbone.

    Raises:
        InvalidConfig: None of the adapted layers is quantized, so that LoftQ has nothing to fit.
    """
    encoder, config, known = unfinished.model.encoder, unfinished.config, unfinished.taken_out
    layers: dict[str, Any] = {name: encoder.get_submodule(name) for name in unfinished.full_precision}
    if config.tuning.initialisation == "loftq" and not any(map(_is_low_bit, layers.values())):
        raise InvalidConfig(
            f"tuning.initialisation=loftq with quantization.skip={config.quantization.skip}: no adapted layer is "
            "quantized; skip fewer, or adapt others"
        )
    taken_out: State = {}
    # Layers draw values for nothing when they are made: that shall not change the order of the training data.
    with torch.random.fork_rng(devices=[]):
        for name, layer in layers.items():
            weight = unfinished.full_precision.pop(name).to(unfinished.device, torch.float32)
            part = _start(layer, weight, settings, config) if known is None else _stored(known, name)
            if part is not None:
                _freeze(layer, part.left_of(weight, layer.scaling[_ADAPTER]), config)
                taken_out |= {_key(name, "A"): part.down.cpu(), _key(name, "B"): part.up.cpu()}
            _measure_magnitude(layer)
    return taken_out


def divided_layers(taken_out: State) -> list[str]:
    """Names of the layers, below the backbone, whose frozen weight lacks a part."""
    return [name.removesuffix(_key("", "A")) for name in taken_out if name.endswith(_key("", "A"))]


def _start(layer: Any, weight: torch.Tensor, settings: LoraConfig, config: TrialConfig) -> LowRank | None:
    """Set an adapter to its start; what leaves the frozen weight for it, None where that stays as it is."""
    part: LowRank | None
    if config.tuning.initialisation == "pissa":
        start = part = principal_part(weight, settings)
    elif _is_low_bit(layer):
        start, part = fit_to_quantized(weight, layer.r[_ADAPTER], layer.scaling[_ADAPTER], config)
    else:
        return None  # Nothing was taken away.
    layer.lora_A[_ADAPTER].weight.data.copy_(start.down)
    layer.lora_B[_ADAPTER].weight.data.copy_(start.up)
    return part


def principal_part(weight: torch.Tensor, settings: LoraConfig) -> LowRank:
    """PiSSA by PEFT: the leading singular vectors, so that the adapter adds their product whatever its scaling is."""
    holder: Any = nn.Module()
    holder.layer = _linear(weight, None)
    alone = replace(settings, target_modules=["layer"], init_lora_weights="pissa", use_dora=False)
    inject_adapter_in_model(alone, holder)
    down, up = (matrix[_ADAPTER].weight.detach() for matrix in (holder.layer.lora_A, holder.layer.lora_B))
    return LowRank(down, up)


def fit_to_quantized(
    weight: torch.Tensor, rank: int, scaling: float, config: TrialConfig
) -> tuple[LowRank, LowRank | None]:
    """LoftQ: quantize what the adapter leaves, fit the adapter to what that took away, and again.

    Not by PEFT, whose own works on CUDA alone, knows nf4 alone, and forgets that an adapter is scaled: with alpha at
    twice the rank it would add the error a second time.

    Args:
        weight: In full precision, float32 (out, in).
        rank: Of the adapter.
        scaling: Of its product.
        config: Says how to quantize.

    Returns:
        The adapter, and what to take out of the weight before it is quantized (None for nothing), of the turn after
        which they are nearest to the weight. The first turn is nearer than without a start, so all are.
    """
    part: LowRank | None = None
    best: tuple[LowRank, LowRank | None] | None = None
    least = torch.inf
    for _ in range(ALTERNATIONS):
        left = weight if part is None else part.left_of(weight, scaling)
        lost = weight - unpacked_weight(_low_bit(left, None, config))
        start = _leading(lost, rank, scaling)
        error = float(start.left_of(lost, scaling).norm())
        if best is None or error < least:
            best, least = (start, part), error
        part = start
    assert best is not None
    return best


def _leading(matrix: torch.Tensor, rank: int, scaling: float) -> LowRank:
    """The best approximation by a scaled product of this rank (Eckart and Young 1936), shared evenly by its factors."""
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    return LowRank(root[:, None] * right[:rank], left[:, :rank] * root)


def _is_low_bit(layer: Any) -> bool:
    return isinstance(layer.get_base_layer(), Linear4bit | Linear8bitLt)


def _freeze(layer: Any, weight: torch.Tensor, config: TrialConfig) -> None:
    """Put a weight below an adapter, as the layer there stores it."""
    base = layer.get_base_layer()
    if _is_low_bit(layer):
        layer.base_layer = _low_bit(weight, base.bias, config)
    else:
        base.weight.data = weight.to(base.weight.device, base.weight.dtype)


def _measure_magnitude(layer: Any) -> None:
    """DoRA's magnitude starts as that of the frozen weight and the adapter together."""
    if _ADAPTER in layer.lora_magnitude_vector:
        magnitude = layer.lora_magnitude_vector[_ADAPTER]
        magnitude.update_layer(
            base_layer=layer.get_base_layer(),
            lora_A=layer.lora_A[_ADAPTER].weight,
            lora_B=layer.lora_B[_ADAPTER].weight,
            scaling=layer.scaling[_ADAPTER],
        )
        magnitude.weight.data = magnitude.weight.data.float()  # It learns in 32 bits, whatever is computed in.


def _low_bit(weight: torch.Tensor, bias: torch.Tensor | None, config: TrialConfig) -> Any:
    return quantized(_linear(weight, bias), config.quantization.name, compute_dtype(config), weight.device)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """A linear layer of given values; it draws none."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
    return linear


def _key(name: str, matrix: str) -> str:
    return f"{name}.lora_{matrix}.weight"


def _stored(taken_out: State, name: str) -> LowRank | None:
    if _key(name, "A") not in taken_out:
        return None
    return LowRank(taken_out[_key(name, "A")], taken_out[_key(name, "B")])
