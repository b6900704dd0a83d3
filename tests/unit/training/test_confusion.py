"""The confusion of a validation is that of numpy over all its batches, and TerraTorch's metrics are as without it."""

import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassConfusionMatrix

from terrasweep.data import files_state, stored
from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.models.offload.zero import place_unpartitioned
from terrasweep.results.confusion import MULTILABEL
from terrasweep.training import measured_task
from terrasweep.training.confusion import MOST_CLASSES, confusion_metric, counts_of, named_confusion
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import build_trainer, evaluate
from tests.unit.data.labelled import TILES, write_tiles
from tests.unit.training.batches import CPU, Echo, Tiny, built, config, opened

NAMES = ["land", "water", "ice", "snow"]


def scores(predicted):
    one_hot = np.eye(4, dtype=np.float32)[predicted] + 0.1
    return torch.from_numpy(np.moveaxis(one_hot, -1, 1).copy())


def validated(trial, batches, folder, names=NAMES):
    """What was logged, and the confusion of the last of the validations."""
    model, data = built(Echo()), opened(batches, len(names), names)
    task = build_task(trial, model, data)
    trainer = build_trainer(trial, CPU, [], model, data, folder)
    logged = [evaluate(trainer, task, data) for _ in range(2)][-1]
    return logged, named_confusion(trial.task.name, task.confusion, data)


def chance(seed, task, ignored):
    """Two unequal batches; labels of ``ignored`` don't count, and class 3 never occurs."""
    rng = np.random.default_rng(seed)
    shape, key = ((8, 8), "mask") if task == "segmentation" else ((), "label")
    labels = [rng.integers(0, 3, size=(samples, *shape)) for samples in (7, 5)]
    predicted = [rng.integers(0, 3, size=part.shape) for part in labels]
    for part in labels:
        part[rng.random(part.shape) < 0.3] = ignored
    batches = [{"image": scores(p), key: torch.from_numpy(y)} for p, y in zip(predicted, labels, strict=True)]
    return batches, np.concatenate([y.ravel() for y in labels]), np.concatenate([p.ravel() for p in predicted])


def independent(seed, least):
    """Two batches of labels that are independent of each other, from ``least`` to 1, and the scores of 30 samples."""
    rng = np.random.default_rng(seed)
    labels, output = rng.integers(least, 2, size=(30, 4)), rng.normal(size=(30, 4)).astype(np.float32)
    batches = [
        {"image": torch.from_numpy(output[part]), "label": torch.from_numpy(labels[part])}
        for part in (slice(20), slice(20, None))
    ]
    return batches, labels, output


@pytest.mark.parametrize("ignored", [-1, 2], ids=["outside the classes", "one of the classes"])
@pytest.mark.parametrize("task", ["segmentation", "classification"])
def test_counts_are_numpys_over_the_labels_that_count(task, ignored, tmp_path):
    batches, labels, predicted = chance(3, task, ignored)
    counted = labels != ignored
    expected = np.zeros((4, 4), dtype=int)
    np.add.at(expected, (labels[counted], predicted[counted]), 1)

    _, confusion = validated(config(task, ignore_index=ignored), batches, tmp_path)

    assert confusion.counts == expected.tolist()
    assert [sum(row) for row in confusion.counts] == [(labels[counted] == c).sum() for c in range(4)]
    assert 0 < confusion.total == counted.sum() < labels.size
    assert confusion.classes == NAMES


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel"])
def test_logged_metrics_are_those_without_a_confusion(task, tmp_path, monkeypatch):
    batches = independent(5, 0)[0] if task == "multilabel" else chance(4, task, -1)[0]
    logged, confusion = validated(config(task), batches, tmp_path)
    monkeypatch.setattr(measured_task, "confusion_metric", lambda *_: None)
    plain, none = validated(config(task), batches, tmp_path)
    assert confusion is not None
    assert none is None
    assert logged.keys() == plain.keys()
    for name, value in plain.items():
        assert logged[name] == pytest.approx(value, nan_ok=True, abs=0), name


def test_iou_from_the_counts_is_terratorchs(tmp_path):
    batches, *_ = chance(6, "segmentation", -1)
    logged, confusion = validated(config("segmentation"), batches, tmp_path)
    ious = {name: tally.iou for name, tally in zip(NAMES, confusion.tallies(), strict=True)}
    assert ious.pop("snow") is None
    for name, iou in ious.items():
        assert logged[f"val/IoU_{name}"] == pytest.approx(iou)
    assert logged["val/mIoU"] == pytest.approx(np.mean(list(ious.values())))
    assert logged["val/Pixel_Accuracy"] == pytest.approx(confusion.right / confusion.total)


def test_scores_of_mixed_precision_are_counted_alike(tmp_path):
    batches, *_ = chance(7, "segmentation", -1)
    half = [batch | {"image": batch["image"].bfloat16()} for batch in batches]
    confusions = [validated(config("segmentation"), given, tmp_path)[1] for given in (batches, half)]
    assert confusions[0] == confusions[1]


def test_independent_labels_are_counted_by_outcome_without_the_ignored_ones(tmp_path):
    batches, labels, output = independent(8, -1)
    expected = []
    for c in range(4):
        counted = labels[:, c] != -1
        y, p = labels[counted, c] == 1, output[counted, c] > 0
        expected.append([(y & p).sum(), (~y & p).sum(), (y & ~p).sum(), (~y & ~p).sum()])

    logged, confusion = validated(config("multilabel", ignore_index=-1), batches, tmp_path)

    assert confusion.counts == expected
    assert [sum(row) for row in confusion.counts] == (labels != -1).sum(axis=0).tolist()
    f1 = [tally.f1 for tally in confusion.tallies()]
    assert logged["val/Multilabel_F1_Score"] == pytest.approx(np.mean(f1))


def test_segmentation_updates_one_matrix_for_mean_iou_and_confusion(tmp_path):
    """Where torchmetrics stopped sharing states, every validation would count each pixel twice."""
    task = build_task(config("segmentation"), built(Echo()), opened([], 4, NAMES))
    batches, *_ = chance(9, "segmentation", -1)
    for batch in batches:
        task.val_metrics.update(batch["image"].argmax(dim=1), batch["mask"])
    together = [set(group) for group in task.val_metrics.compute_groups.values() if "confusion" in group]
    assert together
    assert "mIoU" in together[0]


def test_there_is_none_for_regression_and_for_a_matrix_that_would_be_large():
    assert confusion_metric("regression", 1, None) is None
    assert confusion_metric("classification", MOST_CLASSES + 1, None) is None
    assert confusion_metric("classification", MOST_CLASSES, None) is not None
    assert confusion_metric(MULTILABEL, MOST_CLASSES + 1, None) is not None
    assert named_confusion("regression", None, opened([], 1)) is None


def test_it_is_a_module_of_the_task_so_that_zero_3_has_its_states_moved():
    """``place_unpartitioned`` moves what is a metric among the task's modules; DeepSpeed moves nothing."""
    task = build_task(config("classification"), built(Echo()), opened([], 4, NAMES))
    (metric,) = (module for module in task.modules() if isinstance(module, MulticlassConfusionMatrix))
    place_unpartitioned(task.val_metrics, torch.device("meta"))
    assert metric.confmat.device.type == "meta"


def test_its_states_are_neither_weights_nor_cast_with_them():
    metrics = MetricCollection({"confusion": confusion_metric("segmentation", 3, -1)}).to(torch.bfloat16)
    metrics.update(torch.tensor([0, 1, 2]), torch.tensor([0, 1, -1]))
    assert metrics.state_dict() == {}
    assert counts_of(metrics.compute()["confusion"]) == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_classes_without_names_go_by_their_numbers():
    assert named_confusion("classification", [[1, 0], [0, 1]], opened([], 2)).classes == ["0", "1"]
    assert named_confusion("classification", [[1, 0], [0, 1]], opened([], 2, ["a"])).classes == ["a", "1"]


def test_classes_that_data_merge_are_one_with_its_name_and_what_they_ignore_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))

    def mask(tile):
        return np.random.default_rng(tile).integers(0, 5, size=(1, 32, 32)).astype(np.uint8)

    write_tiles(tmp_path / "tiles", mask)
    files_state.state_below.cache_clear()
    merged = "data.labels.merge={land: [0, 1], water: [2, 3], ignore: [4]}"
    trial = config("segmentation", "data=segmentation_folder", f"data.root={tmp_path / 'tiles'}", merged)
    prepare_data(trial)
    trial = stored.complete(trial)
    data = open_data(trial)
    model = built(Tiny("segmentation", data.num_classes))
    task = build_task(trial, model, data)
    evaluate(build_trainer(trial, CPU, [], model, data, tmp_path), task, data)

    confusion = named_confusion("segmentation", task.confusion, data)

    assert confusion.classes == ["land", "water"]
    values = np.concatenate([mask(tile).ravel() for tile in TILES["val"]])
    assert [sum(row) for row in confusion.counts] == [(values < 2).sum(), ((values == 2) | (values == 3)).sum()]
