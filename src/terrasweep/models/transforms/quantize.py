"""Low-bit linear layers by bitsandbytes, on CPU and CUDA alike."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Self, TypeVar, cast

import bitsandbytes as bnb
import torch
from bitsandbytes.nn import Int8Params, Linear4bit, Linear8bitLt, Params4bit
from torch import nn

from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.models.transforms.linear_layers import no_match
from terrasweep.results.errors import InvalidConfig

_READ_WEIGHTS = (nn.MultiheadAttention, nn.TransformerEncoderLayer)
"""torch's own modules, which read the weights of their linear layers instead of calling them."""

Layer = TypeVar("Layer", bound=nn.Module)


class Int8Linear(Linear8bitLt):
    """bitsandbytes' layer with one copy of its weights.

    It keeps its scales when PEFT's DoRA puts a copy of the parameter without them in it, and moves with a model that is
    moved: Lightning takes one to the host after a training and back to be evaluated.
    """

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:
        """Move the parameter, and what the first forward pass moved from it to the layer's state."""
        moved = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        kept, scales = self.state.CB, self.state.SCB
        # ZeRO-3 has an empty parameter here between passes, and what the state keeps is all there is.
        if kept is not None and scales is not None and kept.shape == self.weight.shape:
            self.state.CB, self.state.SCB = self.weight.data, scales.to(self.weight.device)
        return cast("Self", moved)

    def init_8bit_state(self) -> None:
        """Move weights and scales from the parameter to the layer."""
        scales = self.state.SCB
        super().init_8bit_state()  # type: ignore[no-untyped-call]
        if self.state.SCB is None:
            self.state.SCB = scales


def quantize_linears(
    encoder: nn.Module,
    names: list[str],
    quantization: QuantizationConfig,
    compute_dtype: torch.dtype,
    device: torch.device,
) -> None:
    """Swap linear layers of the backbone for low-bit ones, one at a time, and move them to the device.

    A 4-bit weight is unpacked to ``compute_dtype`` for each product. int8 is LLM.int8() without outlier decomposition
    (Dettmers et al. 2022), fp4 and nf4 are block-wise 4-bit types (Dettmers et al. 2023).
    """
    for name in names:
        linear = encoder.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        encoder.set_submodule(name, quantized(linear, quantization.name, compute_dtype, device))
    # PEFT looks for these to choose its low-bit LoRA layers.
    encoder.is_loaded_in_8bit = quantization.name == "int8"  # type: ignore[assignment]
    encoder.is_loaded_in_4bit = quantization.name != "int8"  # type: ignore[assignment]


def quantizable(encoder: nn.Module, quantization: QuantizationConfig, unfrozen: Collection[str] = ()) -> list[str]:
    """Dotted names of the linear layers to quantize: all but those below the named ``quantization.skip``.

    Args:
        encoder: The backbone.
        quantization: What to skip.
        unfrozen: Names of blocks that learn, and so stay as they are.

    Raises:
        InvalidConfig: There is none, or a name to skip matches none.
    """
    fixed = tuple(f"{name}." for name, module in encoder.named_modules() if isinstance(module, _READ_WEIGHTS))
    linears = [
        name
        for name, module in encoder.named_modules()
        if type(module) is nn.Linear and not (fixed and name.startswith(fixed))
    ]
    skip = [] if quantization.skip == "auto" else list(quantization.skip)
    for part in skip:
        if not any(_below(name, part) for name in linears):
            raise InvalidConfig(f"quantization.skip={part}: {no_match(linears, part, within=True)}")
    learning = tuple(f"{block}." for block in unfrozen)
    frozen = [name for name in linears if not name.startswith(learning)] if learning else linears
    names = [name for name in frozen if not any(_below(name, part) for part in skip)]
    if not names:
        where = "outside of the blocks that learn " if linears and not frozen else ""
        raise InvalidConfig(
            f"quantization={quantization.name}: the backbone has no linear layer {where}to quantize; "
            "use quantization=none"
        )
    return names


def layers_to_keep(quantization: QuantizationConfig, layers: int) -> int:
    """How many of so many layers ``quantization.skip=auto`` keeps in full precision.

    Raises:
        InvalidConfig: All of them.
    """
    kept = quantization.skip_count or 0
    if kept >= layers:
        raise InvalidConfig(
            f"quantization.skip_count={kept}: the backbone has {layers} linear layers, and none would be quantized; "
            "use fewer"
        )
    return kept


def quantized(linear: nn.Linear, name: str, compute_dtype: torch.dtype, device: torch.device) -> nn.Module:
    """A low-bit copy of a linear layer, on the device; the original stays as it is."""
    swapped: nn.Module = _int8(linear) if name == "int8" else _four_bit(linear, name, compute_dtype)
    return swapped.to(device)


def dequantized(layer: Linear4bit | Linear8bitLt) -> nn.Linear:
    """A linear layer in 32 bits with the weights that a low-bit one stands for."""
    weight: torch.Tensor = unpacked_weight(layer)
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None, device=weight.device)
    linear.weight.data = weight
    if layer.bias is not None:
        linear.bias.data = layer.bias.data.float()
    return linear


def unpacked_weight(layer: Linear4bit | Linear8bitLt) -> torch.Tensor:
    """The weight that a low-bit layer stands for, float32 (out, in)."""
    weight: Any = layer.weight
    if isinstance(weight, Params4bit):
        unpacked: torch.Tensor = bnb.functional.dequantize_4bit(weight.data, weight.quant_state).float()
        return unpacked
    # A forward pass moves the scales from the parameter to the layer's state.
    state: Any = layer.state
    scales: torch.Tensor = state.SCB if weight.SCB is None else weight.SCB
    int8: torch.Tensor = weight.data
    return int8.float() * scales.view(-1, 1) / 127


def _below(name: str, part: str) -> bool:
    return f".{part}." in f".{name}."


def _four_bit(linear: nn.Linear, name: str, compute_dtype: torch.dtype) -> Linear4bit:
    swapped = Linear4bit(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        compute_dtype=compute_dtype,
        compress_statistics=name == "nf4_double",
        quant_type=name.removesuffix("_double"),
    )
    swapped.weight = Params4bit(
        linear.weight.data,
        requires_grad=False,
        compress_statistics=name == "nf4_double",
        quant_type=name.removesuffix("_double"),
        module=swapped,
    )
    # With it, an evaluation repacks the weights on CPUs with AVX512-BF16, and the next training step fails.
    swapped.support_avx512bf16_for_cpu = False
    return _with_bias(swapped, linear)


def _int8(linear: nn.Linear) -> Int8Linear:
    swapped = Int8Linear(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        has_fp16_weights=False,
        threshold=0.0,
    )
    # Only on its way from the CPU to a device is a weight quantized; on paper there is nothing to send.
    weight = linear.weight.data if linear.weight.is_meta else linear.weight.data.cpu()
    swapped.weight = Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    return _with_bias(swapped, linear)


def _with_bias(swapped: Layer, linear: nn.Linear) -> Layer:
    if linear.bias is not None:
        swapped.bias = nn.Parameter(linear.bias.data.clone(), requires_grad=False)
    return swapped


def logical_parameters(model: nn.Module) -> int:
    """Number of parameters, a packed 4-bit weight counted by the elements it stands for."""
    return sum(_logical_size(p) for p in model.parameters())


def stored_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers as they are stored, with the constants of quantized weights."""
    total = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    return total + sum(_constant_bytes(p) for p in model.parameters())


def _logical_size(parameter: nn.Parameter) -> int:
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(torch.Size(state.shape).numel())


def _constant_bytes(parameter: nn.Parameter) -> int:
    """Absmax (and its own constants where it is quantized again), the code table, or int8's row scales."""
    tensors = [getattr(parameter, "SCB", None)]
    state: bnb.functional.QuantState | None = getattr(parameter, "quant_state", None)
    while state is not None:
        tensors += [state.absmax, state.code, getattr(state, "offset", None)]
        state = state.state2
    return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, torch.Tensor))
