"""Batches have the shapes that data give."""

import pytest

from terrasweep.predict.fake_batches import FakeBatches
from terrasweep.predict.fake_tensors import fake_tensors
from tests.composing import compose_trial


def shapes(batch):
    return {key: shapes(value) if isinstance(value, dict) else tuple(value.shape) for key, value in batch.items()}


def batches(*knobs, classes=6):
    config = compose_trial("train.batch_size=32", *knobs)
    with fake_tensors():
        data = FakeBatches(config, classes)
        train, val = list(data.train_dataloader()), list(data.val_dataloader())
        assert len(train) == 2
        assert len(val) == 1
    return shapes(train[0]), shapes(val[0])


def test_a_batch_to_evaluate_is_as_large_as_a_trial_s():
    train, val = batches("data.tile_px=96")
    assert train == {"image": (32, 6, 96, 96), "mask": (32, 96, 96)}
    assert val == {"image": (8, 6, 96, 96), "mask": (8, 96, 96)}


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("classification", {"label": (32,)}),
        ("multilabel", {"label": (32, 9)}),
        ("regression", {"mask": (32, 64, 64)}),
    ],
)
def test_each_task_has_its_target(task, target):
    train, _ = batches(f"task={task}", "data.tile_px=64", classes=9)
    assert train == {"image": (32, 6, 64, 64), **target}


def test_modalities_are_images_of_their_own():
    modalities = "data.modalities={S2L2A:{folder:a,bands:[B02,B03,B04]},S1GRD:{folder:b,bands:[VV,VH]}}"
    train, _ = batches("data=multimodal_folder", "backbone=terramind_v1_tiny", modalities, "data.tile_px=64")
    assert train["image"] == {"S2L2A": (32, 3, 64, 64), "S1GRD": (32, 2, 64, 64)}


def test_dates_and_coordinates_go_along():
    train, _ = batches("backbone=prithvi_eo_v2_tiny_tl", "data.frames=3", "data.tile_px=64")
    assert train["image"] == (32, 6, 3, 64, 64)
    assert train["temporal_coords"] == (32, 3, 2)
    assert train["location_coords"] == (32, 2)
