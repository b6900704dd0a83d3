"""torch's fake tensors: shapes, types and devices without memory or values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from terrasweep.models.torch_internals import FakeTensor, FakeTensorMode


def is_fake(tensor: Tensor) -> bool:
    """Whether a tensor is a fake one."""
    return isinstance(tensor, FakeTensor)


@contextmanager
def fake_tensors() -> Iterator[None]:
    """Within it new tensors are fake.

    They are to be those of a CPU, also where they stand for a GPU's: where there is none, autograd refuses its tensors,
    and those of torch's ``meta`` device take another attention.
    """
    with FakeTensorMode(), _CopiesAsClones():
        yield


class _CopiesAsClones(TorchFunctionMode):
    """``copy.deepcopy``, which torchmetrics uses, would copy the bytes of storages that fake tensors don't have."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _cloned(*args) if function is Tensor.__deepcopy__ else function(*args, **(kwargs or {}))


def _cloned(tensor: Tensor, memo: dict[int, Any]) -> Tensor:
    clone = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        clone = nn.Parameter(clone)
    memo[id(tensor)] = clone.requires_grad_(tensor.requires_grad)
    return clone
