"""What is frozen and not quantized, stored in 16 bits: rounded once, and widened for the time of each use.

Only the storage has 16 bits. Whoever reads such a parameter of its module gets it in 32, so that the arithmetic is what
``precision`` says, and the error that of rounding the weights alone (at most 2^-8 each, relative). QLoRA (Dettmers et
al. 2023) and PEFT store frozen weights in bfloat16, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from terrasweep.config.knobs.tuning import TuningConfig
from terrasweep.models.transforms.unfinished_model import Touched, UnfinishedModel
from terrasweep.results.errors import InvalidConfig

STORED = torch.bfloat16


def store_frozen(tuning: TuningConfig, unfinished: UnfinishedModel) -> Touched:
    """The knob ``tuning`` once it is known what is frozen: :func:`store_in_bf16` where it is asked for.

    Raises:
        InvalidConfig: All that is frozen is quantized.
    """
    if tuning.frozen_dtype != "bf16":
        return {}
    names = store_in_bf16(unfinished.model.encoder)
    if not names:
        raise InvalidConfig(
            "tuning.frozen_dtype=bf16: nothing of the backbone is frozen and not quantized; "
            "use tuning.frozen_dtype=fp32"
        )
    return {"stored_in_bf16": names}


def store_in_bf16(encoder: nn.Module, quantized: Iterable[nn.Module] = ()) -> list[str]:
    """Round the frozen parameters of the backbone to bfloat16, in place; their modules compute as before.

    Quantized layers stay as they are, with their biases; so do buffers, like the statistics of batches.

    Args:
        encoder: The backbone, with its adapters. A parameter that takes a gradient is not frozen.
        quantized: Layers to leave out besides bitsandbytes' own: on paper, those that a trial would quantize.

    Returns:
        Dotted names of the modules that hold such parameters; ``encoder`` for the backbone itself.
    """
    left_out = {id(module) for module in quantized}
    names = []
    for name, module in encoder.named_modules():
        if id(module) in left_out or isinstance(module, Linear4bit | Linear8bitLt):
            continue
        frozen = [parameter for parameter in module.parameters(recurse=False) if _can_be_rounded(parameter)]
        for parameter in frozen:
            parameter.data = parameter.data.to(STORED)
        if frozen:
            kind: Any = type(module)
            module.__class__ = _stored(kind, _is_linear(module))
            names.append(name or "encoder")
    return names


def widen(encoder: nn.Module) -> None:
    """Undo :func:`store_in_bf16`: parameters in 32 bits, with their rounded values, in modules of their own classes."""
    for module in encoder.modules():
        if isinstance(module, StoredInBf16):
            for parameter in module.parameters(recurse=False):
                if _is_stored(parameter):
                    parameter.data = parameter.data.float()
            stored: Any = module
            stored.__class__ = stored.own_class


def _can_be_rounded(parameter: nn.Parameter) -> bool:
    # A parameter that two modules share has been rounded already when the second one comes.
    return not parameter.requires_grad and parameter.dtype in (torch.float32, STORED)


def _is_stored(parameter: torch.Tensor) -> bool:
    return parameter.dtype is STORED and not parameter.requires_grad


def _is_linear(module: nn.Module) -> bool:
    """Whether it is a linear layer that computes as torch's does, and all of which is frozen."""
    linear = isinstance(module, nn.Linear) and type(module).forward is nn.Linear.forward
    return linear and not any(parameter.requires_grad for parameter in module.parameters(recurse=False))


class StoredInBf16(nn.Module):
    """Stands before a module's own class: its frozen parameters read as 32-bit numbers, by whomever and whenever.

    Some modules read the weights of others, or ask for their type: torch's attention, transformers' embeddings.
    """

    own_class: type[nn.Module]
    """The module's own class."""

    def __getattr__(self, name: str) -> Any:
        """As torch does, but for the type of what is stored in 16 bits."""
        value = self.as_stored(name)
        return value.float() if isinstance(value, nn.Parameter) and _is_stored(value) else value

    def as_stored(self, name: str) -> Any:
        """A parameter, or whatever else torch finds under the name, as it is."""
        return super().__getattr__(name)


class LinearStoredInBf16(StoredInBf16):
    """Of a linear layer: autograd keeps no 32-bit copy of the weight until the backward pass."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name, which callers may say.
        """Features (..., in) to (..., out), in their own type, or in that of autocast."""
        product: torch.Tensor = _Product.apply(input, self)
        return product


class _Product(torch.autograd.Function):
    """A linear layer that keeps nothing for the backward pass: none of it learns, and the weight is widened again.

    The layer is asked for its weight then, since ZeRO-3 may have gathered it anew.
    """

    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, layer: StoredInBf16) -> torch.Tensor:
        device = features.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
        ctx.layer, ctx.dtype = layer, features.dtype
        weight, bias = layer.as_stored("weight"), layer.as_stored("bias")
        return functional.linear(features.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.matmul(gradient, ctx.layer.as_stored("weight").to(gradient.dtype)).to(ctx.dtype), None


@cache
def _stored(kind: Any, linear: bool) -> type[nn.Module]:
    """The class of a module with parameters in 16 bits, under the same name: PEFT asks for names of classes."""
    before = LinearStoredInBf16 if linear else StoredInBf16
    return type(kind.__name__, (before, kind), {"own_class": kind, "__module__": kind.__module__})
