"""Symmetries are those of numpy, each as likely, the same for all that belongs to a sample, and those of the seed."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from kornia.geometry.transform import rot180

from terrasweep.results.errors import InvalidConfig
from terrasweep.training.augmentation import Symmetries
from terrasweep.training.tasks import build_task
from terrasweep.training.trainer import StepClock, build_trainer, evaluate, fit
from tests.unit.training.batches import CPU, Tiny, built, config, opened

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

ROTATIONS = tuple(range(4))
D4 = {(k, mirrored): lambda a, k=k, m=mirrored: np.rot90(a[..., ::-1] if m else a, k, (-2, -1))
      for k in ROTATIONS for mirrored in (False, True)}  # fmt: skip
"""Rotation by 90 degrees, mirrored or not, to the symmetry by numpy."""
FLIPS = [(0, False), (2, False), (0, True), (2, True)]
"""Of these the ones that keep height and width: nothing, both flips, left and right, top and bottom."""


def batch(samples, height=6, width=6, channels=(2,), seed=0):
    """No two pixels of a sample are alike, so that a symmetry is told by what it makes."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(samples, *channels, height, width, generator=generator)
    mask = torch.stack([torch.randperm(height * width, generator=generator) for _ in range(samples)])
    return {"image": images, "mask": mask.view(samples, height, width)}


def symmetry(before, after):
    """Which of the eight made one array of another, by numpy."""
    made = [key for key, turn in D4.items() if np.array_equal(turn(before.numpy()), after.numpy())]
    assert len(made) == 1, "it is exactly one of the eight"
    return made[0]


def symmetries(before, after):
    return [symmetry(b, a) for b, a in zip(before, after, strict=True)]


@pytest.mark.parametrize("channels", [(2,), (3, 4)], ids=["bands", "bands and dates"])
@pytest.mark.parametrize(("augment", "expected"), [("d4", set(D4)), ("flips", set(FLIPS)), ("mirror", {*FLIPS[::2]})])
def test_each_sample_is_one_of_numpy_s_symmetries_and_its_mask_the_same(augment, expected, channels):
    given = batch(64, channels=channels)
    shown = Symmetries(augment, seed=3).applied(given)
    found = symmetries(given["image"], shown["image"])
    assert found == symmetries(given["mask"], shown["mask"])
    assert set(found) == expected
    assert (shown["image"].dtype, shown["mask"].dtype) == (torch.float32, torch.int64)


def test_kornia_s_half_turn_is_that_of_numpy():
    image = batch(1)["image"]
    assert symmetry(image, rot180(image)) == (2, False)


@pytest.mark.parametrize(("augment", "kinds"), [("d4", 8), ("flips", 4), ("mirror", 2)])
def test_each_symmetry_is_as_likely(augment, kinds):
    """Chi-square of 8,000 draws, below the 0.999 quantile of its distribution by Wilson and Hilferty's formula."""
    samples, drawing = 8000, Symmetries(augment, seed=0)
    given = batch(1, 2, 2)
    given = {key: value.expand(samples, *value.shape[1:]) for key, value in given.items()}
    shown = drawing.applied(given)["mask"].flatten(1)
    _, counts = np.unique(shown.numpy(), axis=0, return_counts=True)
    assert len(counts) == kinds
    expected, degrees = samples / kinds, kinds - 1
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    quantile = degrees * (1 - 2 / (9 * degrees) + 3.09 * math.sqrt(2 / (9 * degrees))) ** 3
    assert chi_square < quantile


def test_one_sample_s_symmetry_says_nothing_of_the_next_one_s():
    given = batch(4000, 2, 2)
    found = symmetries(given["mask"], Symmetries("d4", seed=0).applied(given)["mask"])
    alike = np.mean([a == b for a, b in itertools.pairwise(found)])
    assert alike == pytest.approx(1 / 8, abs=4 * math.sqrt(1 / 8 * 7 / 8 / 4000))


def test_all_modalities_of_a_sample_are_under_one_symmetry_whatever_their_sizes():
    large, small = batch(32, 8, 8), batch(32, 4, 4, (1, 3), seed=1)
    given = {"image": {"S2": large["image"], "S1": small["image"]}, "mask": large["mask"]}
    shown = Symmetries("d4", seed=1).applied(given)
    found = symmetries(large["mask"], shown["mask"])
    assert set(found) == set(D4)
    for modality, images in given["image"].items():
        assert symmetries(images, shown["image"][modality]) == found


def test_targets_are_turned_and_labels_and_coordinates_are_not():
    given = batch(32)
    targets = given["mask"].float()
    rest = {"label": torch.arange(32), "temporal_coords": torch.rand(32, 3, 2), "location_coords": torch.rand(32, 2)}
    shown = Symmetries("d4", seed=5).applied(given | {"mask": targets} | rest)
    assert symmetries(targets, shown["mask"]) == symmetries(given["image"], shown["image"])
    assert all(shown[key] is value for key, value in rest.items())
    labels = torch.randint(2, (6, 6))  # Square, as a mask would be.
    assert torch.equal(Symmetries("d4", 0).applied({"image": given["image"][:6], "label": labels})["label"], labels)


def test_the_given_batch_stays_as_it_was():
    given = batch(16)
    kept = copy.deepcopy(given)
    Symmetries("d4", seed=0).applied(given)
    assert all(torch.equal(given[key], kept[key]) for key in given)


def test_without_augmentation_the_batch_is_the_very_same():
    given = batch(4)
    assert Symmetries("none", seed=0).applied(given) is given


def test_what_is_not_square_keeps_its_shape_in_the_other_four():
    given = batch(64, 4, 6)
    shown = Symmetries("d4", seed=2).applied(given)
    assert shown["image"].shape == given["image"].shape
    found = symmetries(given["mask"], shown["mask"])
    assert set(found) == set(FLIPS)
    square = batch(64, 4, 4)["image"]
    several = Symmetries("d4", seed=2).applied(given | {"image": {"wide": given["image"], "square": square}})
    assert symmetries(square, several["image"]["square"]) == found, "one that is not square decides for all"


@pytest.mark.parametrize("parts", [(4, 4), (1, 7), (3, 3, 2), (1,) * 8])
@pytest.mark.parametrize("augment", ["mirror", "flips", "d4"])
def test_micro_batches_are_turned_as_the_batch_that_they_make_up(augment, parts):
    whole, divided = Symmetries(augment, seed=9), Symmetries(augment, seed=9)
    for step in range(3):
        given = batch(8, seed=step)
        at_once = whole.applied(given)
        pieces = [
            divided.applied(dict(zip(given, piece, strict=True)))
            for piece in zip(*(value.split(parts) for value in given.values()), strict=True)
        ]
        for key, value in at_once.items():
            assert torch.equal(torch.cat([piece[key] for piece in pieces]), value)


def test_the_seed_decides_and_nothing_else_is_drawn():
    given = batch(64)

    def masks(seed):
        return Symmetries("d4", seed).applied(given)["mask"]

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = masks(0)
    assert torch.equal(torch.get_rng_state(), before), "dropout and initialisation are as without it"
    torch.manual_seed(2)
    assert torch.equal(masks(0), first)
    assert not torch.equal(masks(1), first)
    assert Symmetries("d4", 2**32 - 1).applied(given), "the largest seed that there is"


@pytest.mark.parametrize("shape", [(4, 6, 6), (4, 2)])
def test_what_does_not_say_which_sides_are_height_and_width_is_refused(shape):
    with pytest.raises(
        InvalidConfig, match=r"^augment=d4: a batch of S1 has the shape .*; give .*, or use augment=none$"
    ):
        Symmetries("d4", 0).applied({"image": {"S1": torch.zeros(shape)}})


class Kept(Tiny):
    """Keeps what it was shown."""

    def __init__(self):
        super().__init__("segmentation", 3)
        self.shown = []

    def forward(self, images, **kwargs):
        self.shown.append(images.clone())
        return super().forward(images)


def trained(tmp_path, augment, *overrides, evaluated=False, meters=()):
    """What a model was shown in a training on two batches, or in the evaluation after it; and the losses."""
    batches = [batch(8, seed=number) | {"mask": torch.randint(0, 3, (8, 6, 6))} for number in range(2)]
    trial = config("segmentation", "train.max_steps=4", f"augment.name={augment}", *overrides)
    torch.manual_seed(0)
    model, clock = Kept(), StepClock(meters, CPU)
    data = opened(batches, 3)
    task = build_task(trial, built(model), data)
    trainer = build_trainer(trial, CPU, [clock], built(model), data, tmp_path)
    fit(trainer, task, data, clock)
    if evaluated:
        model.shown.clear()
        evaluate(trainer, task, data)
    return [entry["image"] for entry in batches], model.shown, [loss for _, loss in clock.losses]


def test_a_training_shows_a_sample_in_another_symmetry_each_time(tmp_path):
    given, shown, _ = trained(tmp_path, "d4")
    first, second = symmetries(given[0], shown[0]), symmetries(given[0], shown[2])
    assert len(shown) == 4
    assert first != second
    assert len({*first, *second}) > 2


@pytest.mark.parametrize("augment", ["none", "d4"])
def test_an_evaluation_sees_the_samples_as_they_are(tmp_path, augment):
    given, shown, _ = trained(tmp_path, augment, evaluated=True)
    assert all(torch.equal(a, b) for a, b in zip(given, shown, strict=True))


def test_without_augmentation_a_training_sees_the_samples_as_they_are(tmp_path):
    given, shown, _ = trained(tmp_path, "none")
    assert all(torch.equal(a, b) for a, b in zip([*given, *given], shown, strict=True))


def test_a_longer_training_begins_as_a_shorter_one_and_another_seed_does_not(tmp_path):
    _, short, _ = trained(tmp_path, "d4")
    _, long, _ = trained(tmp_path, "d4", "train.max_steps=6", "train.untimed_steps=3")
    assert all(torch.equal(a, b) for a, b in zip(short, long[:4], strict=True))
    _, other, _ = trained(tmp_path, "d4", "train.seed=1")
    assert not all(torch.equal(a, b) for a, b in zip(short, other, strict=True))


def test_parts_of_a_batch_are_shown_as_the_batch_was(tmp_path):
    _, whole, losses = trained(tmp_path, "d4", "train.batch_size=8")
    _, parts, in_parts = trained(tmp_path, "d4", "train.batch_size=8", "train.accumulate=2")
    assert len(parts) == 2 * len(whole)
    for step, seen in enumerate(whole):
        assert torch.equal(torch.cat(parts[2 * step : 2 * step + 2]), seen)
    assert in_parts == pytest.approx(losses, rel=1e-5)


def test_a_step_outside_of_a_training_takes_the_batch_as_it_is():
    given = batch(8) | {"mask": torch.randint(0, 3, (8, 6, 6))}
    model = Kept()
    task = build_task(config("segmentation", "augment.name=d4"), built(model), opened([given], 3))
    task.log = lambda *_, **__: None
    task.training_step(given, 0)
    assert torch.equal(model.shown[0], given["image"])


class ToldSteps:
    """A meter that writes down where steps begin and end."""

    def __init__(self):
        self.told = []

    def on_step_begin(self, step):
        self.told.append(("begin", step))

    def on_step_end(self, step, samples):
        self.told.append(("end", step))


@pytest.mark.parametrize("parts", [1, 2])
def test_a_batch_is_augmented_within_the_step_that_is_timed(tmp_path, monkeypatch, parts):
    """Between its begin and its end for every meter; the work is done by then, since a CPU has nothing to wait for."""
    meter, applied = ToldSteps(), Symmetries.applied

    def told(self, given):
        shown = applied(self, given)
        meter.told.append("augmented")
        return shown

    monkeypatch.setattr(Symmetries, "applied", told)
    trained(tmp_path, "d4", "train.batch_size=8", f"train.accumulate={parts}", meters=[meter])
    assert meter.told == [told for step in range(4) for told in (("begin", step), "augmented", ("end", step))]
