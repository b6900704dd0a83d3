"""The loss of one step of a task, on labels and scores of three classes."""

import torch

from terrasweep.training.batch_entries import target_key
from terrasweep.training.tasks import build_task
from tests.unit.training.batches import Echo, built, opened


def loss_of(trial, images, target, classes):
    """The loss of a step, without a trainer."""
    task = build_task(trial, built(Echo()), opened([], classes))
    task.log = lambda *_, **__: None
    return task.training_step({"image": images, target_key(trial.task.name): target}, 0)


def some_target(task, samples=4, ignored=None):
    """Labels of three classes; with some that are ignored, where those are given."""
    generator = torch.Generator().manual_seed(0)
    if task == "regression":
        target = torch.rand(samples, 8, 8, generator=generator)
    else:
        shapes = {"segmentation": (samples, 8, 8), "classification": (samples,), "multilabel": (samples, 3)}
        high = 2 if task == "multilabel" else 3
        target = torch.randint(0, high, shapes[task], generator=generator)
    if ignored is not None:
        target[::2] = ignored
    return target


def some_scores(task, samples=4):
    shape = {"segmentation": (samples, 3, 8, 8), "regression": (samples, 8, 8)}.get(task, (samples, 3))
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
