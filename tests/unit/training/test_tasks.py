"""Accuracy is what DESIGN says, over all validation batches; losses count what they should."""

import numpy as np
import pytest
import torch

from terrasweep.config.losses import LOSSES
from terrasweep.config.validation_metrics import VALIDATION_METRICS
from terrasweep.measure.accuracy import read_accuracy
from terrasweep.results.errors import Crashed, InvalidConfig
from terrasweep.training.batch_entries import target_key
from terrasweep.training.tasks import TASKS, build_task
from terrasweep.training.trainer import build_trainer, evaluate
from terrasweep.trial.rules import find_bad_values
from tests.unit.training.batches import CPU, Echo, Tiny, built, config, opened
from tests.unit.training.step_losses import loss_of, some_scores, some_target

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

NAMES = ["land", "water", "ice", "snow"]


def logged(trial, batches, classes, names, folder):
    """What the Trainer that evaluates trials logs."""
    model, data = built(Echo()), opened(batches, classes, names)
    trainer = build_trainer(trial, CPU, [], model, data, folder)
    return evaluate(trainer, build_task(trial, model, data), data)


def measured(trial, batches, classes, names, folder):
    """Accuracy and companions."""
    found = logged(trial, batches, classes, names, folder)
    return read_accuracy(found, trial.task.accuracy, trial.task.name)


def one_hot_scores(predicted, classes):
    scores = np.eye(classes, dtype=np.float32)[predicted] + 0.1
    return torch.from_numpy(np.moveaxis(scores, -1, 1).copy())


def two_batches(seed, shape, low, high):
    """Numbers of two unequal batches, of 3 and of 2 samples."""
    rng = np.random.default_rng(seed)
    return [rng.integers(low, high, size=(samples, *shape)) for samples in (3, 2)]


def test_miou_is_the_mean_over_the_classes_that_occur_of_all_pixels_that_count(tmp_path):
    labels = two_batches(0, (8, 8), -1, 2)  # Classes 0 and 1, and pixels that don't count.
    predicted = two_batches(1, (8, 8), 0, 3)  # Class 2 is predicted, and never labelled; class 3 is neither.
    batches = [
        {"image": one_hot_scores(p, 4), "mask": torch.from_numpy(y), "id": 7}
        for p, y in zip(predicted, labels, strict=True)
    ]
    y, p = (np.concatenate(parts) for parts in (labels, predicted))
    y, p = y[y >= 0], p[y >= 0]
    iou = [((y == c) & (p == c)).sum() / ((y == c) | (p == c)).sum() for c in range(3)]

    accuracy, companions = measured(config("segmentation"), batches, 4, NAMES, tmp_path)

    assert accuracy == pytest.approx(np.mean(iou))
    assert iou[2] == 0.0
    for name, value in zip(NAMES, iou, strict=False):
        assert companions[f"val_IoU_{name}"] == pytest.approx(value)
    assert "val_IoU_snow" not in companions
    assert companions["val_Pixel_Accuracy"] == pytest.approx((y == p).mean())


def test_overall_accuracy_and_macro_f1_are_over_all_samples_that_count(tmp_path):
    labels, predicted = two_batches(2, (), -1, 3), two_batches(3, (), 0, 3)
    batches = [
        {"image": one_hot_scores(p, 4), "label": torch.from_numpy(y)} for p, y in zip(predicted, labels, strict=True)
    ]
    y, p = (np.concatenate(parts) for parts in (labels, predicted))
    y, p = y[y >= 0], p[y >= 0]
    occurring = [c for c in range(4) if ((y == c) | (p == c)).any()]
    f1 = [2 * ((y == c) & (p == c)).sum() / ((y == c).sum() + (p == c).sum()) for c in occurring]

    accuracy, companions = measured(config("classification"), batches, 4, NAMES, tmp_path)

    assert 0 < len(y) < 5
    assert accuracy == pytest.approx((y == p).mean())
    assert companions["val_F1_Score"] == pytest.approx(np.mean(f1))


def average_precision(labels, scores):
    """Mean over the positives of the share of positives among what ranks at least as high."""
    ranked = labels[np.argsort(-scores)]
    hits = np.cumsum(ranked)
    return np.mean([hits[rank] / (rank + 1) for rank in np.flatnonzero(ranked)])


def test_map_is_the_mean_of_average_precisions_over_the_labels_that_occur(tmp_path):
    rng = np.random.default_rng(4)
    labels = [rng.integers(0, 2, size=(samples, 3)) for samples in (6, 5)]
    for part in labels:
        part[:, 2] = 0  # A label that no sample has: it has no average precision.
    scores = [rng.normal(size=part.shape).astype(np.float32) for part in labels]
    batches = [
        {"image": torch.from_numpy(s), "label": torch.from_numpy(y)} for s, y in zip(scores, labels, strict=True)
    ]
    y, s = np.concatenate(labels), np.concatenate(scores)
    expected = np.mean([average_precision(y[:, c], s[:, c]) for c in range(2)])
    f1 = [2 * (y[:, c] * (s[:, c] > 0)).sum() / (y[:, c].sum() + (s[:, c] > 0).sum()) for c in range(3)]

    accuracy, companions = measured(config("multilabel"), batches, 3, NAMES[:3], tmp_path)

    assert accuracy == pytest.approx(expected)
    assert companions["val_Multilabel_F1_Score"] == pytest.approx(np.mean(f1))


def test_map_leaves_out_ignored_labels(tmp_path):
    scores = torch.tensor([[0.9, 0.9], [0.8, 0.8], [0.1, 0.1]])
    batch = {"image": scores, "label": torch.tensor([[-1, 0], [1, 1], [0, 0]])}
    accuracy, _ = measured(config("multilabel", ignore_index=-1), [batch], 2, None, tmp_path)
    assert accuracy == pytest.approx((1.0 + 0.5) / 2)  # What outranks the positive counts for the second label alone.


def test_map_without_any_positive_sample_is_an_error_and_not_zero(tmp_path):
    batch = {"image": torch.randn(4, 2), "label": torch.zeros(4, 2, dtype=torch.int64)}
    with pytest.raises(Crashed, match="no class has a positive validation sample"):
        measured(config("multilabel"), [batch], 2, None, tmp_path)


def test_r2_is_over_all_pixels_that_count(tmp_path):
    rng = np.random.default_rng(5)
    targets = [rng.normal(3, 2, size=(samples, 8, 8)).astype(np.float32) for samples in (3, 2)]
    outputs = [part + rng.normal(0, 1, size=part.shape).astype(np.float32) for part in targets]
    for part in targets:
        part[:, :2] = -9999
    batches = [
        {"image": torch.from_numpy(o), "mask": torch.from_numpy(y)} for o, y in zip(outputs, targets, strict=True)
    ]
    y, o = (np.concatenate(parts).astype(float) for parts in (targets, outputs))
    y, o = y[y != -9999], o[np.concatenate(targets) != -9999]
    expected = 1 - ((y - o) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    accuracy, companions = measured(config("regression", ignore_index=-9999), batches, 1, None, tmp_path)

    assert accuracy == pytest.approx(expected, rel=1e-4)
    assert companions["val_RMSE"] == pytest.approx(np.sqrt(((y - o) ** 2).mean()), rel=1e-4)
    assert companions["val_MAE"] == pytest.approx(np.abs(y - o).mean(), rel=1e-4)


@pytest.mark.parametrize("names", [None, NAMES[:3]])
@pytest.mark.parametrize("task", TASKS)
def test_the_table_of_validation_metrics_is_what_a_task_logs(task, names, tmp_path):
    batch = {"image": some_scores(task), target_key(task): some_target(task)}
    found = logged(config(task), [batch], 1 if task == "regression" else 3, names, tmp_path)
    table = VALIDATION_METRICS[task]
    classes = [f"{metric}_{label}" for metric in table.per_class for label in names or range(3)]
    assert {name.removeprefix("val/") for name in found} == {*table.overall, *classes}


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_class_weights_weigh_the_cross_entropy_of_what_counts(task):
    weights = [1.0, 2.0, 5.0]
    scores, target = some_scores(task), some_target(task, ignored=-1)
    loss = loss_of(config(task, class_weights=weights), scores, target, 3)
    logs = -torch.log_softmax(scores.detach().double(), dim=1).movedim(1, -1).numpy()
    labels = target.numpy()
    kept = labels >= 0
    weight = np.array(weights)[labels[kept]]
    picked = np.take_along_axis(logs[kept], labels[kept][:, None], axis=1)[:, 0]
    assert loss.item() == pytest.approx((weight * picked).sum() / weight.sum(), rel=1e-5)


def test_class_weights_weigh_each_label_of_a_multilabel_loss():
    scores, target = some_scores("multilabel"), some_target("multilabel")
    loss = loss_of(config("multilabel", class_weights=[1.0, 2.0, 5.0]), scores, target, 3)
    p, y = torch.sigmoid(scores.detach().double()).numpy(), target.numpy()
    entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert loss.item() == pytest.approx((entropy * [1.0, 2.0, 5.0]).mean(), rel=1e-5)


def test_rmse_is_the_root_of_the_mean_square():
    outputs, target = some_scores("regression"), some_target("regression")
    loss = loss_of(config("regression", loss="rmse"), outputs, target, 1)
    assert loss.item() == pytest.approx(float((outputs - target).square().mean().sqrt().detach()), rel=1e-5)
    assert loss.item() != pytest.approx(loss.item() ** 0.5, rel=1e-2)  # What TerraTorch's own would be.


IGNORING = [(task, name) for task, losses in LOSSES.items() for name, loss in losses.items() if loss.ignores]


@pytest.mark.parametrize(("task", "loss"), IGNORING)
def test_what_is_ignored_has_no_gradient(task, loss):
    scores, target = some_scores(task), some_target(task, ignored=-1)
    loss_of(config(task, loss=loss, ignore_index=-1), scores, target, 3).backward()
    assert not scores.grad[::2].any()
    assert scores.grad[1::2].any()


def test_every_task_has_losses_and_an_accuracy_of_its_own():
    assert TASKS.keys() == LOSSES.keys()
    for task in TASKS:
        trial = config(task)
        assert trial.task.name == task
        assert list(find_bad_values(trial, files=False)) == []


def test_class_weights_have_to_fit_the_classes_that_were_counted_in_the_data():
    with pytest.raises(InvalidConfig, match="2 values, and the data have 3 classes"):
        build_task(config("segmentation", class_weights=[1.0, 2.0]), built(Echo()), opened([], 3))


@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_data_of_one_class_are_refused(task):
    with pytest.raises(InvalidConfig, match=f"^task={task}: the data have one class"):
        build_task(config(task), built(Tiny(task, 1)), opened([], 1))
