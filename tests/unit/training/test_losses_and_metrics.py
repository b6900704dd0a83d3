"""Losses and the metric compare with their formulas, and leave out what does not count."""

import math

import numpy as np
import pytest
import torch

from terrasweep.config.schema import TaskConfig
from terrasweep.training.losses_and_metrics import (
    InFloat32,
    LabelCrossEntropy,
    MeanAveragePrecision,
    RootMeanSquare,
    build_loss,
)


def average_precision(labels, scores):
    """Mean over the positives of the share of positives among what ranks at least as high."""
    ranked = labels[np.argsort(-scores)]
    hits = np.cumsum(ranked)
    return np.mean([hits[rank] / (rank + 1) for rank in np.flatnonzero(ranked)])


def some(samples=6, labels=3, seed=0):
    """Scores and labels in {0, 1}."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, labels)).astype(np.float32), rng.integers(0, 2, size=(samples, labels))


def precision_of(batches, labels, ignored=None):
    metric = MeanAveragePrecision(num_labels=labels, average=None, ignore_index=ignored)
    for scores, target in batches:
        metric.update(torch.from_numpy(scores), torch.from_numpy(target))
    return float(metric.compute())


def test_average_precision_is_the_formula_s_over_all_batches():
    parts = [some(5, seed=1), some(3, seed=2)]
    scores, target = (np.concatenate(column) for column in zip(*parts, strict=True))
    expected = np.mean([average_precision(target[:, c], scores[:, c]) for c in range(3)])
    assert precision_of(parts, 3) == pytest.approx(expected, rel=1e-5)
    alone = np.mean([precision_of([part], 3) for part in parts])
    assert alone != pytest.approx(expected, rel=1e-3), "a mean over batches would be another number"


def test_a_label_without_a_positive_sample_does_not_count():
    scores, target = some()
    target[:, 1] = 0
    expected = np.mean([average_precision(target[:, c], scores[:, c]) for c in (0, 2)])
    assert precision_of([(scores, target)], 3) == pytest.approx(expected, rel=1e-5)
    assert math.isnan(precision_of([(scores, 0 * target)], 3))


def test_an_ignored_label_is_left_out_of_its_class_alone():
    scores, target = some(8)
    target[2, 0] = -1
    kept = np.arange(8) != 2
    columns = [average_precision(target[kept, 0], scores[kept, 0])]
    columns += [average_precision(target[:, c], scores[:, c]) for c in (1, 2)]
    assert precision_of([(scores, target)], 3, ignored=-1) == pytest.approx(np.mean(columns), rel=1e-5)


def test_a_cross_entropy_of_labels_is_the_formula_s_over_those_that_count():
    scores, target = some()
    target[::2, 1] = 7
    weights = [1.0, 2.0, 5.0]
    p = 1 / (1 + np.exp(-scores.astype(float)))
    entropy = -np.where(target == 1, np.log(p), np.log(1 - p)) * weights
    loss = LabelCrossEntropy(weights, ignore_index=7)
    assert float(loss(torch.from_numpy(scores), torch.from_numpy(target))) == pytest.approx(
        entropy[target != 7].mean(), rel=1e-5
    )


def test_a_batch_whose_labels_are_all_ignored_has_no_loss_and_no_gradient():
    scores = torch.randn(4, 3, requires_grad=True)
    for loss in (LabelCrossEntropy(None, -1), RootMeanSquare(-1)):
        scores.grad = None
        lost = loss(scores, torch.full((4, 3), -1.0))
        lost.backward()
        assert lost.item() == pytest.approx(0, abs=1e-5)
        assert not scores.grad.any()


def test_class_weights_are_not_stored_with_the_weights_of_a_model():
    assert LabelCrossEntropy([1.0, 2.0], None).state_dict() == {}


def test_a_root_of_the_mean_square_is_numpy_s_over_the_values_that_count():
    rng = np.random.default_rng(3)
    output, target = rng.normal(size=(2, 2, 5, 5)).astype(np.float32)
    target[:, :2] = -9999
    kept = target != -9999
    expected = np.sqrt(((output - target)[kept] ** 2).mean())
    loss = RootMeanSquare(-9999)(torch.from_numpy(output), torch.from_numpy(target))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_perfect_prediction_still_has_a_finite_gradient():
    """The root's slope at 0 is infinite: one lucky step would fill the model with NaN."""
    output = torch.ones(3, 3, requires_grad=True)
    RootMeanSquare(None)(output, torch.ones(3, 3)).backward()
    assert torch.isfinite(output.grad).all()


def test_a_loss_in_full_precision_sees_float32_under_autocast_too():
    seen = []

    def loss(scores, target):
        product = scores @ scores.T  # What autocast would make bf16.
        seen.append((scores.dtype, product.dtype))
        return product.sum()

    scores = torch.randn(4, 3)
    with torch.autocast("cpu", torch.bfloat16):
        guarded = InFloat32(loss)(scores.bfloat16(), None)
    assert seen == [(torch.float32, torch.float32)]
    assert torch.equal(guarded, loss(scores.bfloat16().float(), None))


def loss_by(name, *, task="segmentation", weights=None, ignored=None, **arguments):
    return build_loss(
        TaskConfig(name=task, loss=name, class_weights=weights, ignore_index=ignored, loss_arguments=arguments)
    )


def scene(classes=4, ignored=None, seed=5):
    """Scores (2, classes, 6, 6) and labels (2, 6, 6), of which the last class has none; a third is ignored."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes - 1, size=(2, 6, 6))
    if ignored is not None:
        target[:, :2] = ignored
    return 2 * rng.normal(size=(2, classes, 6, 6)).astype(np.float32), target


def counted(scores, target, ignored):
    """Scores (pixels, classes) and one-hot labels of the pixels that count."""
    classes = scores.shape[1]
    flat, labels = np.moveaxis(scores.astype(float), 1, -1).reshape(-1, classes), target.reshape(-1)
    kept = labels != ignored
    return flat[kept], np.eye(classes)[labels[kept]]


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def tversky_losses(scores, truth, alpha, beta):
    """1 - T per class with T = TP / (TP + alpha FP + beta FN); 0 for a class without a label (Salehi et al. 2017)."""
    p = softmax(scores)
    hit, false, missed = (p * truth).sum(0), (p * (1 - truth)).sum(0), ((1 - p) * truth).sum(0)
    return np.where(truth.any(0), 1 - hit / (hit + alpha * false + beta * missed), 0.0)


def focal_losses(scores, truth, gamma, alpha=None, normalized=False):
    """Per class against the rest the mean of -a (1 - p_t)^gamma log p_t (Lin et al. 2017, equations 4 and 5)."""
    p = 1 / (1 + np.exp(-scores))
    p_t = np.where(truth == 1, p, 1 - p)
    a = 1.0 if alpha is None else np.where(truth == 1, alpha, 1 - alpha)
    focus = (1 - p_t) ** gamma
    losses = -a * focus * np.log(p_t)
    return (losses / (focus.sum(0) if normalized else 1)).mean(0)


def mean(losses, weights=None):
    return np.average(losses, weights=weights)


def tversky(scores, truth, weights, alpha=0.3, beta=0.7):
    return mean(tversky_losses(scores, truth, alpha, beta), weights)


def focal_tversky(scores, truth, weights, alpha=0.3, beta=0.7, gamma=4 / 3):
    """Abraham and Khan 2018, equation 4."""
    return mean(tversky_losses(scores, truth, alpha, beta) ** (1 / gamma), weights)


def dice_ce(scores, truth, weights, dice=1.0, ce=1.0):
    """The Dice loss of Milletari et al. 2016 is Tversky's with halves; theirs has squares below the line."""
    entropy = -np.log((softmax(scores) * truth).sum(1))
    of_pixels = None if weights is None else truth @ np.array(weights)
    return dice * mean(tversky_losses(scores, truth, 0.5, 0.5), weights) + ce * mean(entropy, of_pixels)


def focal(scores, truth, weights, gamma=2.0, alpha=None, normalized=True):
    return mean(focal_losses(scores, truth, gamma, alpha, normalized), weights)


WEIGHTS = [1.0, 2.0, 5.0, 0.5]
FORMULAS = {"tversky": tversky, "focal_tversky": focal_tversky, "dice_ce": dice_ce, "focal": focal}
GIVEN = [
    *(("tversky", {}), ("tversky", {"alpha": 0.9, "beta": 0.4})),
    *(("focal_tversky", {}), ("focal_tversky", {"gamma": 2.0, "alpha": 0.5, "beta": 0.5})),
    *(("dice_ce", {}), ("dice_ce", {"dice": 0.5, "ce": 3.0}), ("dice_ce", {"ce": 0.0})),
    *(("focal", {}), ("focal", {"normalized": False, "gamma": 1.5, "alpha": 0.25}), ("focal", {"gamma": 0.0})),
]


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("ignored", [None, -1, 0])
@pytest.mark.parametrize(("name", "arguments"), GIVEN)
def test_a_loss_is_its_paper_s_formula_over_the_pixels_that_count(name, arguments, ignored, weights):
    scores, target = scene(ignored=ignored)
    expected = FORMULAS[name](*counted(scores, target, ignored), weights, **arguments)
    loss = loss_by(name, weights=weights, ignored=ignored, **arguments)
    assert float(loss(torch.from_numpy(scores), torch.from_numpy(target))) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("arguments", [{}, {"gamma": 1.5, "alpha": 0.25, "normalized": False}], ids=str)
def test_a_focal_loss_of_whole_images_is_the_formula_s_over_those_that_count(arguments, weights):
    scores, target = some(9, labels=4)[0], np.array([0, 1, 2, 3, 1, -1, 0, 2, -1])
    expected = focal(*counted(scores, target, -1), weights, **arguments)
    loss = loss_by("focal", task="classification", weights=weights, ignored=-1, **arguments)
    assert float(loss(torch.from_numpy(scores), torch.from_numpy(target))) == pytest.approx(expected, rel=2e-4)


def test_an_argument_that_is_left_out_has_the_default_that_the_page_states():
    scores, target = map(torch.from_numpy, scene())
    assert float(loss_by("tversky", alpha=0.5, beta=0.5)(scores, target)) != float(loss_by("tversky")(scores, target))
    assert float(loss_by("tversky", alpha=0.3)(scores, target)) == float(loss_by("tversky")(scores, target))


@pytest.mark.parametrize("name", FORMULAS)
def test_ignored_pixels_change_neither_the_loss_nor_a_gradient(name):
    scores, target = scene(ignored=-1)
    other = scores.copy()
    other[:, :, :2] += 3.0
    found = []
    for given in (scores, other):
        leaf = torch.from_numpy(given).requires_grad_()
        value = loss_by(name, weights=WEIGHTS, ignored=-1)(leaf, torch.from_numpy(target))
        value.backward()
        found.append((value.item(), leaf.grad))
    (first, gradient), (second, same) = found
    assert first == second
    assert torch.equal(gradient, same)
    assert not gradient[:, :, :2].any()
    assert gradient[:, :, 2:].any()


@pytest.mark.parametrize("name", FORMULAS)
def test_neither_an_absent_class_nor_a_perfect_one_makes_a_gradient_infinite(name):
    """The root of the focal Tversky loss has no slope at 0."""
    target = torch.zeros(1, 4, 4, dtype=torch.int64)
    scores = torch.full((1, 3, 4, 4), -50.0)
    scores[:, 0] = 50.0
    scores.requires_grad_()
    loss_by(name)(scores, target).backward()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("name", FORMULAS)
def test_labels_that_are_all_ignored_give_no_loss_and_no_gradient(name):
    scores = torch.randn(2, 3, 4, 4, requires_grad=True)
    lost = loss_by(name, ignored=255)(scores, torch.full((2, 4, 4), 255))
    lost.backward()
    assert lost.item() == 0.0
    assert not scores.grad.any()


def test_a_focal_loss_of_labels_is_the_formula_s_over_those_that_count():
    scores, target = some(8)
    target[::2, 1] = -1
    kept = target != -1
    expected = focal_losses(scores[kept][:, None].astype(float), target[kept][:, None], 3.0, 0.25)[0]
    loss = loss_by("focal", task="multilabel", ignored=-1, gamma=3.0, alpha=0.25)
    assert float(loss(torch.from_numpy(scores), torch.from_numpy(target))) == pytest.approx(expected, rel=1e-5)


def test_what_terratorch_has_too_is_equal_to_its_own():
    """So that studies with task.loss=focal stay what they were, and an export's list of losses means the same."""
    from terratorch.tasks.loss_handler import CombinedLoss
    from terratorch.tasks.segmentation_tasks import init_loss

    scores, target = map(torch.from_numpy, scene(ignored=-1))
    both = CombinedLoss({name: init_loss(name, ignore_index=-1) for name in ("ce", "dice")})
    assert float(loss_by("dice_ce", ignored=-1)(scores, target)) == pytest.approx(float(both(scores, target)["loss"]))
    assert torch.equal(
        loss_by("focal", ignored=-1)(scores, target), init_loss("focal", ignore_index=-1)(scores, target)
    )


def test_no_loss_has_an_entry_among_a_model_s_stored_weights():
    assert all(not loss_by(name, weights=WEIGHTS).state_dict() for name in FORMULAS)
