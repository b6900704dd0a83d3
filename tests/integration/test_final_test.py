"""The test split: out of reach while a study searches, then asked once about the recommended trials."""

import shutil

import numpy as np
import pytest
import rasterio
import torch

from terrasweep.data.synthetic import SyntheticScenes
from tests.conftest import SMALL, make_home, run_sweep, run_terrasweep
from tests.integration.study import read_mlflow, read_results, read_rows

pytestmark = pytest.mark.slow

STUDY = (
    *("-m", "study.name=mine", "study.n_trials=2", "train.lr=choice(0.01,0.0001)"),
    *(*SMALL, "data.synthetic.test=12", "task.class_weights=auto", "task.loss=dice_ce"),
)


def ask_test_split(home):
    return run_terrasweep(home, "test", "mine")


@pytest.fixture(scope="module")
def own_home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def at_the_end(own_home):
    """What a study of one trial said that asks at its end by itself."""
    finished = run_sweep(own_home, *STUDY, "study.n_trials=1", "study.name=short")
    assert finished.returncode == 0, finished.stderr
    return " ".join(finished.stdout.split())


@pytest.fixture(scope="module")
def home(own_home, at_the_end):
    """With a study that ran while no file of the test split was there; they are back."""
    (tiles,) = (own_home / "results" / ".cache").rglob("test/images")
    shutil.move(tiles.parent, own_home / "away")
    finished = run_sweep(own_home, *STUDY, "study.test=false")
    assert finished.returncode == 0, finished.stderr
    assert {r.state for r in read_results(own_home / "results" / "mine").values()} == {"complete"}
    shutil.move(own_home / "away", tiles.parent)
    return own_home


@pytest.fixture(scope="module")
def asked(home):
    """What the command said, and the bytes of the results before it."""
    before = {file: file.read_bytes() for file in (home / "results" / "mine").glob("trials/*/result.json")}
    finished = ask_test_split(home)
    assert finished.returncode == 0, finished.stderr
    return finished, before


def rows_of(home):
    rows = read_rows(home / "results" / "mine" / "trials.csv")
    return {row["number"]: float(row["test_accuracy"]) for row in rows if row["test_accuracy"]}


def miou(home, number):
    """The mean IoU of a trial's weights over all test pixels, by hand."""
    from terrasweep import weights

    model = weights.load_trial(home / "results" / "mine" / "trials" / number)
    (tiles,) = (home / "results" / ".cache").rglob("test/images")
    confusion = np.zeros((6, 6))
    for file in sorted(tiles.glob("*.tif")):
        image = rasterio.open(file).read().astype(np.float32)
        label = rasterio.open(tiles.parent / "masks" / file.name).read(1)
        mean, std = (
            np.array(of["target"], np.float32)[:, None, None] for of in (SyntheticScenes.MEANS, SyntheticScenes.STDS)
        )
        with torch.no_grad():
            found = model(torch.from_numpy((image - mean) / std)[None]).output.argmax(1)[0].numpy()
        np.add.at(confusion, (label, found), 1)
    union = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    return (confusion.diagonal()[union > 0] / union[union > 0]).mean()


def test_each_recommended_trial_has_the_accuracy_of_its_weights_on_the_test_tiles(home, asked):
    found = rows_of(home)
    assert found
    for number, accuracy in found.items():
        assert accuracy == pytest.approx(miou(home, number), abs=2e-3)


def test_report_and_mlflow_have_it_and_results_stay_as_they_were(home, asked):
    finished, before = asked
    assert "on the test split (12 samples)" in finished.stdout
    assert {file: file.read_bytes() for file in before} == before
    assert "test accuracy (mIoU)" in (home / "results" / "mine" / "report.html").read_text()
    _, _, nested = read_mlflow(home, "mine")
    logged = {run.data.tags["trial_number"]: run.data.metrics.get("test_accuracy") for run in nested}
    assert {number: value for number, value in logged.items() if value is not None} == rows_of(home)


def test_a_second_call_answers_from_what_is_stored(home, asked):
    stamps = {file: file.stat().st_mtime_ns for file in (home / "results" / "mine").glob("trials/*/test.json")}
    again = ask_test_split(home)
    assert again.returncode == 0, again.stderr
    assert "on the test split" not in again.stdout + again.stderr
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps


def test_a_study_asks_at_its_end_by_itself(own_home, at_the_end):
    assert "trial 0: mIoU" in at_the_end
    assert "on the test split (12 samples)" in at_the_end
    assert (own_home / "results" / "short" / "trials" / "0" / "test.json").is_file()


def test_weights_of_classes_are_the_same_numbers_in_every_trial_and_stand_in_its_result(home):
    """By hand: the inverse root of the pixels that each class has in the training split's masks, of a mean of 1."""
    given = [r.config["task"]["class_weights"] for r in read_results(home / "results" / "mine").values()]
    assert given[0] == given[1]
    masks = [file for folder in (home / "results" / ".cache").rglob("train/masks") for file in folder.glob("*.tif")]
    assert len(masks) == 24
    pixels = sum(np.bincount(rasterio.open(file).read().ravel(), minlength=6) for file in masks)
    expected = (pixels / pixels.sum()) ** -0.5
    assert given[0] == pytest.approx(expected / expected.mean(), rel=1e-4)
    assert len(set(given[0])) > 1
