"""Losses and the metric compare with their formulas, and leave out what does not count."""

import math

import numpy as np
import pytest
import torch

from terrasweep.training.losses_and_metrics import InFloat32, LabelCrossEntropy, MeanAveragePrecision, RootMeanSquare


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
