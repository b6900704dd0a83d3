"""Folders that terrasweep has never seen: one command each, no code, and what is learnt beats the majority."""

import csv
import json

import numpy as np
import pytest

from tests.integration.study import read_record, read_results
from tests.unit.data.rasters import write_raster

pytestmark = pytest.mark.slow

SMALL = (
    "backbone=timm_vit_tiny_patch16_224",
    "backbone.pretrained=false",
    "tuning=full",
    "train.batch_size=4",
    "train.untimed_steps=1",
    "train.lr=3e-4",
    "train.backbone_lr_ratio=1",
    "study.n_trials=1",
    "study.baselines=none",
    "quantization=none",
)
COLOURS = {"forest": (30, 90, 30), "river": (30, 40, 140), "town": (140, 130, 120)}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def run(cli, study, *overrides):
    done = cli("-m", "sweeps=own_data", f"study.name={study}", *SMALL, *overrides)
    assert done.returncode == 0, done.stderr
    return done


def result_of(home, study):
    (result,) = read_results(home / "results" / study).values()
    assert result.state == "complete", result.message
    return result


def photos(folder, rng, names):
    """JPEGs of 32 px in the colour of their class."""
    for name in names:
        noise = rng.normal(0, 10, (3, 32, 32))
        colour = np.array(COLOURS[name.partition("/")[0]])[:, None, None]
        write_raster(folder / name, np.clip(colour + noise, 0, 255).astype(np.uint8))


def test_a_folder_of_jpegs_in_class_folders(home, cli, rng):
    photos(home / "photos", rng, [f"{name}/{number}.jpg" for name in COLOURS for number in range(12)])
    overrides = ("data=classification_folder", "task=classification", "decoder=identity", "train.max_steps=30")
    run(cli, "photos", "data.root=photos", *overrides)
    result = result_of(home, "photos")
    assert result.measurements["accuracy_name"] == "overall accuracy"
    assert result.measurements["accuracy"] > 0.5
    data = result.config["data"]
    assert (data["num_classes"], data["class_names"], data["tile_px"]) == (3, ["forest", "river", "town"], 32)
    assert data["bands"] == ["RED", "GREEN", "BLUE"]
    summary = read_record(home / "results" / "photos").data["summary"]
    assert json.dumps(summary)
    page = (home / "results" / "photos" / "report.html").read_text()
    assert "forest" in page
    assert "river" in page


def test_a_folder_of_images_and_masks(home, cli, rng):
    for number in range(24):
        mask = np.zeros((1, 32, 32), np.uint8)
        mask[0, :, 16 * (number % 2) : 16 * (number % 2) + 16] = 1
        image = rng.normal(1000, 50, (4, 32, 32)) + mask * np.array([0, 900, -600, 500])[:, None, None]
        write_raster(
            home / "fields" / "images" / f"f{number}.tif", image.astype(np.int16), place=(number // 6, number % 6)
        )
        write_raster(home / "fields" / "masks" / f"f{number}_mask.png", mask)
    done = run(cli, "fields", "data.root=fields", "data.split.by=blocks", "train.max_steps=40")
    result = result_of(home, "fields")
    assert result.measurements["accuracy"] > 0.6  # All of one class gives 0.25.
    assert result.config["data"]["num_classes"] == 2
    assert result.config["data"]["means"][0] == pytest.approx(1000, abs=10)
    assert "IoU_1" in " ".join(result.metrics)
    assert "Preparing once" in done.stderr


def test_images_with_a_table_of_several_labels(home, cli, rng):
    rows = [["name", "bright", "green"]]
    for number in range(32):
        bright, green = number % 2, number // 2 % 2
        image = rng.normal(60 + 90 * bright, 8, (3, 32, 32)) + np.array([0, 60 * green, 0])[:, None, None]
        write_raster(home / "tagged" / "images" / f"{number:03d}.png", np.clip(image, 0, 255).astype(np.uint8))
        rows.append([f"{number:03d}.png", str(bright), str(green)])
    with (home / "tagged" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    overrides = ("data=classification_folder", "task=multilabel", "decoder=identity", "data.labels=labels.csv")
    run(cli, "tagged", "data.root=tagged", "train.max_steps=40", *overrides)
    result = result_of(home, "tagged")
    assert result.measurements["accuracy_name"] == "mAP"
    assert result.measurements["accuracy"] > 0.75  # Chance is the share of positives, a half.
    assert result.config["data"]["class_names"] == ["bright", "green"]


def test_images_with_a_number_per_pixel(home, cli, rng):
    for number in range(32):
        height = np.repeat(np.repeat(rng.uniform(-1, 1, (1, 2, 2)), 16, 1), 16, 2)
        image = 500 + 200 * np.concatenate([height, -height]) + rng.normal(0, 10, (2, 32, 32))
        write_raster(home / "heights" / "images" / f"{number}.tif", image.astype(np.float32), place=(0, number))
        write_raster(home / "heights" / "targets" / f"{number}.tif", height.astype(np.float32), place=(0, number))
    run(cli, "heights", "data.root=heights", "data=regression_folder", "task=regression", "train.max_steps=60")
    result = result_of(home, "heights")
    assert result.measurements["accuracy_name"] == "R²"
    assert result.measurements["accuracy"] > 0.5  # The mean of all gives 0.
    assert "val_RMSE" in result.metrics


def test_scenes_that_a_table_names(home, cli, rng):
    """Images of two types and their masks lie in other places, called otherwise; the table divides them."""
    rows = [["image", "mask", "split"]]
    for number in range(24):
        mask = np.zeros((1, 32, 32), np.uint8)
        mask[0, :, 16 * (number % 2) : 16 * (number % 2) + 16] = 1
        image = np.clip(rng.normal(90, 8, (3, 32, 32)) + mask * np.array([80, -50, 60])[:, None, None], 0, 255)
        place = home / f"archive {number % 3}" / f"photo [{number}].{('jpg', 'png')[number % 2]}"
        write_raster(place, image.astype(np.uint8))
        write_raster(home / "roads" / f"{number}_gt.png", mask)
        rows.append([str(place), f"roads/{number}_gt.png", "valid" if number % 4 == 0 else "Train"])
    with (home / "scenes.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    run(cli, "scenes", "data.root=scenes.csv", "data.split.by=folders", "train.max_steps=40")
    assert result_of(home, "scenes").measurements["accuracy"] > 0.6  # All of one class gives 0.25.
    told = " ".join(read_record(home / "results" / "scenes").data["notes"])
    assert "image in column image, mask in column mask; semicolons separate its cells" in told


def test_a_folder_of_three_dates_per_place(home, cli, rng):
    """Class 1 grows brighter over the year and class 0 darker: no date, and no average, tells them apart."""
    for number in range(24):
        mask = np.zeros((1, 32, 32), np.uint8)
        mask[0, :, 16 * (number % 2) : 16 * (number % 2) + 16] = 1
        for step, date in ((-1, "20240115"), (0, "20240615"), (1, "20241115")):
            image = 1000 + 300 * step * (2.0 * mask - 1) + rng.normal(0, 50, (2, 32, 32))
            write_raster(home / "years" / "images" / f"f{number}_{date}.tif", image.astype(np.int16), place=(0, number))
        write_raster(home / "years" / "masks" / f"f{number}.png", mask)
    overrides = ("data.root=years", "data.frames=3", "backbone=prithvi_eo_v2_tiny_tl", "train.max_steps=40")
    done = run(cli, "years", *overrides)
    result = result_of(home, "years")
    assert result.measurements["accuracy"] > 0.6  # All of one class gives 0.25.
    assert result.config["data"]["bands"] == ["B1", "B2"]
    assert result.config["data"]["means"] == pytest.approx([1000, 1000], abs=10)
    assert "3 dates of 2 bands, a file each (2024-01-15 to 2024-11-15)" in done.stderr
