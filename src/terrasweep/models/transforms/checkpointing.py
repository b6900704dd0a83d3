"""Gradient checkpointing of the transformer blocks (Chen et al. 2016)."""

from __future__ import annotations

from torch import nn

from terrasweep.config.knobs.checkpointing import CheckpointingConfig
from terrasweep.models.torch_internals import unwrapped, wrap_modules
from terrasweep.models.transforms.unfinished_model import Touched, UnfinishedModel
from terrasweep.results.errors import InvalidConfig


def checkpoint_blocks(checkpointing: CheckpointingConfig, unfinished: UnfinishedModel) -> Touched:
    """The knob ``checkpointing``: :func:`apply_checkpointing` to the backbone."""
    return {"checkpointed": apply_checkpointing(unfinished.model.encoder, checkpointing.every or 1)}


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
    blocks = transformer_blocks(encoder)
    if not blocks:
        raise InvalidConfig("checkpointing=blocks: the backbone has no stack of transformer blocks; use none")
    wrapped = dict(part for name in list(blocks)[::every] for part in _callables(name, blocks[name]))
    wrap_modules(encoder, set(wrapped.values()))
    return list(wrapped)


def transformer_blocks(encoder: nn.Module) -> dict[str, nn.Module]:
    """The backbone's transformer blocks by name: modules of one class, in stacks, with linear layers inside.

    The class is that of the longest stack; a hierarchical backbone has several stacks of it. Empty where there is none.
    """
    stacks = [
        (name, list(stack))
        for name, stack in encoder.named_modules()
        if isinstance(stack, nn.ModuleList | nn.Sequential) and _is_homogeneous(stack)
    ]
    if not stacks:
        return {}
    longest = max(stacks, key=lambda item: len(item[1]))
    kind = _kind(longest[1][0])
    # Clay's blocks are lists of an attention and an MLP; lists elsewhere may hold anything.
    alike = [longest] if issubclass(kind, nn.ModuleList) else [item for item in stacks if _kind(item[1][0]) is kind]
    return {f"{name}.{index}": block for name, stack in alike for index, block in enumerate(stack)}


def _kind(block: nn.Module) -> type[nn.Module]:
    return type(unwrapped(block))


def _is_homogeneous(stack: nn.ModuleList | nn.Sequential) -> bool:
    if len(stack) < 2 or len({_kind(block) for block in stack}) > 1:
        return False
    return all(any(isinstance(module, nn.Linear) for module in block.modules()) for block in stack) and not isinstance(
        stack[0], nn.Linear
    )


def _callables(name: str, block: nn.Module) -> list[tuple[str, nn.Module]]:
    """The block, or its parts where it is a mere list that is never called itself."""
    if isinstance(block, nn.ModuleList):
        return [(f"{name}.{index}", part) for index, part in enumerate(block)]
    return [(name, block)]
