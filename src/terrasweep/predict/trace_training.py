"""Traces a trial on fake tensors: its real model, loss and optimizer, two training steps and a batch that is evaluated.

Nothing is computed and no GPU is needed, also for a trial on one.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from terrasweep.config.schema import TrialConfig
from terrasweep.data.open.split_data import OpenData, SplitData
from terrasweep.measure.flops import operator_formulas
from terrasweep.models.assemble import BuiltModel, build_on_paper, planned_classes
from terrasweep.models.transforms.dora_weights import unpacked_by_shape
from terrasweep.predict.fake_batches import FakeBatches
from terrasweep.predict.fake_model import own_code_tables, place_on_fakes
from terrasweep.predict.fake_tensors import fake_tensors
from terrasweep.predict.fake_trainer import build_fake_trainer
from terrasweep.predict.gpu_rules import as_on_gpu
from terrasweep.predict.storage_watch import StorageWatch
from terrasweep.predict.trace import Kind, Phase, Trace
from terrasweep.predict.under_zero import under_zero
from terrasweep.training.tasks import build_task

_LEAST_PAGED = 100_000
"""Elements of a state from which on bitsandbytes pages it, with a byte each."""


class Milestones(Callback):
    """Tells the watch where phases begin, and what tensors are for once they have a place."""

    def __init__(self, watch: StorageWatch) -> None:
        self._watch = watch

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """The batch is there."""
        self._begin(Phase.STEADY_STEP if batch_idx else Phase.FIRST_STEP)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        """All gradients are there."""
        self._watch.name([p.grad for p in pl_module.parameters() if p.grad is not None], Kind.GRADIENTS)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The optimizer has its state."""
        states = trainer.optimizers[0].state.values()
        tensors = (value for state in states for value in state.values() if isinstance(value, torch.Tensor))
        self._watch.name(tensors, Kind.OPTIMIZER)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """What comes next is of the batches to evaluate, of another size than those to train on."""
        self._begin(Phase.EVALUATION)

    def _begin(self, phase: Phase) -> None:
        """Nothing of the last one is left that only holds itself."""
        gc.collect()
        self._watch.begin(phase)


def trace_training(config: TrialConfig, device: str) -> Trace:
    """What a trial allocates on the device and on the host, from its build to its evaluation.

    Args:
        config: With bands, tile and classes.
        device: ``cpu`` or ``cuda``.

    Raises:
        InvalidConfig: The model can't be built.
    """
    paged = config.optimizer.name == "paged_adamw8bit"
    config, for_gpu = _traceable(config), device == "cuda"
    model = build_on_paper(config)
    watch = StorageWatch(operator_formulas(), for_gpu=for_gpu)
    gpu = as_on_gpu(watch) if for_gpu else nullcontext()
    with (
        fake_tensors(),
        own_code_tables(),
        unpacked_by_shape(),
        gpu,
        _own_collections(),
        watch,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        watch.begin(Phase.BUILD)
        read = config.backbone.pretrained or config.backbone.checkpoint is not None
        encoder: Any = model.module.encoder
        place_on_fakes(model.module, watch, to_gpu=for_gpu, loaded=encoder if read else None)
        watch.begin(Phase.FIRST_STEP)
        _train_and_evaluate(config, model, watch)
    trace = watch.trace()
    if for_gpu and paged:
        trace = with_paged_states(trace)
    stage = config.offload.zero_stage
    return under_zero(trace, stage=stage) if stage else trace


def with_paged_states(trace: Trace) -> Trace:
    """The training whose large optimizer states lie in pages that CUDA moves, beside torch's allocator.

    What is shorter stays where it was (``get_state_buffer`` in bitsandbytes' ``optim/optimizer.py``).
    """
    blocks = [
        replace(block, on_host=True) if block.kind is Kind.OPTIMIZER and block.size >= _LEAST_PAGED else block
        for block in trace.blocks
    ]
    return replace(trace, blocks=blocks)


@contextmanager
def _own_collections() -> Iterator[None]:
    """Within it the watch alone looks for what holds itself in a circle, so that one trial has one trace."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()  # What is there already is looked at by nobody.
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _train_and_evaluate(config: TrialConfig, model: BuiltModel, watch: StorageWatch) -> None:
    classes = planned_classes(config)
    batches = FakeBatches(config, classes)
    data = OpenData(cast("SplitData", batches), classes, config.data.class_names)
    trainer = build_fake_trainer(config, [Milestones(watch)])
    task = build_task(config, model, data)
    trainer.fit(task, datamodule=batches)
    trainer.validate(task, datamodule=batches, verbose=False)


def _traceable(config: TrialConfig) -> TrialConfig:
    """The same trial without what fake tensors have no place for."""
    optimizer, task, train = config.optimizer, config.task, config.train
    if optimizer.name == "paged_adamw8bit":  # CUDA alone has pages; the state in them has the same size.
        optimizer = replace(optimizer, name="adamw8bit")
    if task.class_weights == "auto":
        task = replace(task, class_weights=[1.0] * planned_classes(config))
    # How long a training is changes no step.
    return replace(config, optimizer=optimizer, task=task, train=replace(train, max_steps=2, epochs=None))
