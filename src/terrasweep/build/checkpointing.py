"""Gradient checkpointing of the transformer blocks (Chen et al. 2016)."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    apply_activation_checkpointing,
    checkpoint_wrapper,
)

from terrasweep.errors import InvalidConfig


def apply_checkpointing(encoder: nn.Module, every: int = 1) -> list[str]:
    """Recompute transformer blocks' activations in the backward pass. The mathematics stays the same.

    Non-reentrant, since the reentrant implementation drops gradients behind a frozen input.

    Args:
        encoder: The backbone.
        every: The first of so many blocks is wrapped, the others keep their activations.

    Returns:
        Dotted names of the wrapped blocks.

    Raises:
        InvalidConfig: The backbone has no stack of blocks.
    """
    blocks = dict(list(transformer_blocks(encoder).items())[::every])
    chosen = set(blocks.values())
    apply_activation_checkpointing(
        encoder,
        checkpoint_wrapper_fn=partial(checkpoint_wrapper, checkpoint_impl=CheckpointImpl.NO_REENTRANT),
        check_fn=lambda module: module in chosen,
    )
    return list(blocks)


def transformer_blocks(encoder: nn.Module) -> dict[str, nn.Module]:
    """The longest stack of modules of one class that hold linear layers, by name.

    Raises:
        InvalidConfig: There is none of two or more.
    """
    best: dict[str, nn.Module] = {}
    for name, stack in encoder.named_modules():
        if not isinstance(stack, nn.ModuleList | nn.Sequential) or len(stack) < 2:
            continue
        one_class = len({type(block) for block in stack}) == 1
        if one_class and len(stack) > len(best) and all(_has_linear(block) for block in stack):
            best = {f"{name}.{index}": block for index, block in enumerate(stack)}
    if not best:
        raise InvalidConfig("checkpointing=blocks: the backbone has no stack of transformer blocks; use none")
    return best


def _has_linear(block: nn.Module) -> bool:
    return any(isinstance(module, nn.Linear) for module in block.modules())
