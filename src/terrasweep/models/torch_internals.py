"""What torch offers by a private name alone, and no other module of terrasweep takes by one.

Each is here because torch has no public way: a module's forward pass that is computed again with its hooks, tensors
without memory, modes that see each operator, and what tells one storage from another.
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.distributed.algorithms._checkpoint import checkpoint_wrapper as wrapper
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    "NUMBER_OF",
    "UNIQUE",
    "WRAPPER_PREFIX",
    "FakeTensor",
    "FakeTensorMode",
    "TorchDispatchMode",
    "consists_of_others",
    "in_backward_pass",
    "plain_name",
    "storage_address",
    "tables_of_tensors",
    "unwrapped",
    "wrap_modules",
]

WRAPPER_PREFIX = "_checkpoint_wrapped_module."
"""What the names of a wrapped module's parameters gain; its ``state_dict`` has plain names."""
NUMBER_OF: Any = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001 - the operator's own name
"""The operator below ``Tensor.item``."""
UNIQUE: Any = torch.ops.aten._unique2.default  # noqa: SLF001 - the operator's own name
"""The operator below ``torch.unique``."""


def wrap_modules(model: nn.Module, chosen: Collection[nn.Module]) -> None:
    """Wrap the chosen modules in place, so that they keep their inputs alone and compute again in the backward pass.

    ``torch.utils.checkpoint`` is public, but runs a function: hooks of the module (ZeRO-3 gathers parameters in them)
    would not run again in the backward pass.
    """
    non_reentrant = partial(wrapper.checkpoint_wrapper, checkpoint_impl=wrapper.CheckpointImpl.NO_REENTRANT)
    wrapper.apply_activation_checkpointing(
        model, checkpoint_wrapper_fn=non_reentrant, check_fn=lambda module: module in chosen
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """The module that was wrapped, or the module itself."""
    if isinstance(module, wrapper.CheckpointWrapper):
        inner: nn.Module = module._checkpoint_wrapped_module  # noqa: SLF001 - the wrapper has no other name for it
        return inner
    return module


def plain_name(name: str) -> str:
    """A parameter's name as the state dict has it, whichever modules are wrapped."""
    return name.replace(WRAPPER_PREFIX, "")


def storage_address(storage: torch.UntypedStorage) -> int:
    """What tells a storage from all others while it lives, also one without memory; torch's own MemTracker uses it."""
    return int(storage._cdata)  # noqa: SLF001 - `data_ptr` tells no fake storages apart


@functools.cache
def consists_of_others(operator: Any) -> bool:
    """Whether an operator is a sequence of others; those of tensors from an inference mode arrive as a whole."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key  # noqa: SLF001 - the dispatcher has no public table
    return bool(has_kernel(operator.name(), "CompositeImplicitAutograd"))


def in_backward_pass() -> bool:
    """Whether autograd's engine runs what asks; on a GPU that is a thread of its own."""
    return bool(torch._C._current_graph_task_id() != -1)  # noqa: SLF001 - torch's own checkpointing asks it


def tables_of_tensors(module: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where a module keeps its parameters and its buffers, by name; what is put there is not checked."""
    return module._parameters, module._buffers  # noqa: SLF001 - assignment to the module refuses other types
