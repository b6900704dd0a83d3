"""The floating-point operations of a training step, counted while it is trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from terrasweep.config.schema import TrialConfig
from terrasweep.measure.flops import FLOPS_PER_STEP, operator_formulas
from terrasweep.measure.host_memory import exact_steps
from terrasweep.measure.meter import Reading
from terrasweep.models.torch_internals import TorchDispatchMode, consists_of_others


class OperationCounter(TorchDispatchMode):
    """Counts what runs within it, and runs it as it would run without.

    torch's FlopCounterMode raises on what it can't count, which in a step of a training would cost the trial, and its
    hooks on modules hold the graph.
    """

    supports_higher_order_operators = True

    def __init__(self, formulas: dict[Any, Callable[..., int]]) -> None:
        """Args: ``formulas`` are the operations by operator, as torch's flop counter has them."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._formulas = formulas
        self._count = 0
        self._is_whole = True

    @property
    def flops(self) -> float | None:
        """What was counted so far; None where something ran that can't be counted here."""
        return float(self._count) if self._is_whole else None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator, and count it."""
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        packet = getattr(func, "overloadpacket", None)
        formula = self._formulas.get(packet)
        if formula is None:
            # What is made of others hides them here, and so does an operator of a higher order.
            self._is_whole &= packet is not None and not consists_of_others(func)
            return made
        try:
            self._count += formula(*args, **kwargs, out_val=made)
        except Exception:  # noqa: BLE001 - a formula of torch's, or of a package's; the step goes on
            self._is_whole = False
        return made


class CountedStep(Callback):
    """Counts the last untimed step of a training on a CPU, whose memory is that of the steps before it.

    On CUDA, and where fewer than three steps are untimed, each step's memory is measured, which counting changes:
    gradients are then added up out of place. There nothing is counted here.
    """

    def __init__(self, config: TrialConfig, device: torch.device) -> None:
        """Args: ``config`` is the trial's, which may ask for no count; ``device`` is where it trains."""
        untimed = config.train.untimed_steps
        is_free = device.type == "cpu" and exact_steps(untimed) > 0
        self._step = untimed - 1 if config.train.count_flops and is_free else None
        self._within = ExitStack()
        self._counter: OperationCounter | None = None

    def reading(self) -> Reading:
        """The operations under their name; nothing where they were not counted."""
        flops = None if self._counter is None else self._counter.flops
        return {} if flops is None else {FLOPS_PER_STEP.name: flops}

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        """Begin to count."""
        if trainer.global_step == self._step:
            self._counter = OperationCounter(operator_formulas())
            self._within.enter_context(self._counter)

    def on_train_batch_end(self, *_: Any) -> None:
        """The step is over."""
        self._within.close()

    def on_exception(self, *_: Any) -> None:
        """The step did not come to its end, and its part tells nothing."""
        self._within.close()
        self._counter = None
