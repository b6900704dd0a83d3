"""What torch offers below a private path alone: the wrapper that recomputes a module's forward pass.

``torch.utils.checkpoint`` is public, but runs a function: hooks of the module (ZeRO-3 gathers parameters in them) would
not run again in the backward pass.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from torch import nn
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as wrapper

WRAPPER_PREFIX = "_checkpoint_wrapped_module."
"""What the names of a wrapped module's parameters gain; its ``state_dict`` has plain names."""


def wrap_modules(model: nn.Module, chosen: Collection[nn.Module]) -> None:
    """Wrap the chosen modules in place, so that they keep their inputs alone and compute again in the backward pass."""
    non_reentrant = partial(wrapper.checkpoint_wrapper, checkpoint_impl=wrapper.CheckpointImpl.NO_REENTRANT)
    wrapper.apply_activation_checkpointing(
        model, checkpoint_wrapper_fn=non_reentrant, check_fn=lambda module: module in chosen
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """The module that was wrapped, or the module itself."""
    if isinstance(module, wrapper.CheckpointWrapper):
        inner: nn.Module = module._checkpoint_wrapped_module  # noqa: SLF001
        return inner
    return module
