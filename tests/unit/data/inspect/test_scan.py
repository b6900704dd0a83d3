"""A survey counts what numpy counts over all samples at once, and names what can't be read."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from terrasweep.data.in_parts import InParts
from terrasweep.data.inspect.scan import find_shared, scan_split
from terrasweep.results.errors import HostOutOfMemory
from tests.unit.data.inspect.scanned import scanned


def test_what_can_not_be_read_is_named_and_the_rest_is_counted():
    def read(index):
        if index == 1:
            raise OSError("not a TIFF\nmore")
        return {"image": np.ones((1, 2, 2)), "label": 3}

    seen = scan_split(read, ["a", "b", "c"], "classification", -1, None).survey()
    assert (seen.samples, seen.read, seen.unreadable) == (3, 2, {"b": "not a TIFF"})
    assert seen.labels.counts == {3: 2}


def test_a_sample_that_does_not_fit_into_memory_is_no_unreadable_file():
    def read(index):
        return {"image": np.empty(2**45)}

    with pytest.raises(HostOutOfMemory, match="Unable to allocate"):
        scan_split(read, ["a"], "classification", -1, None)


def test_the_same_pixels_in_two_splits_are_found_but_empty_tiles_are_not():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 1, 4, 4))
    empty = np.full((1, 4, 4), np.nan)
    empty[:, 1:] = 0
    splits = {
        "train": scanned([{"image": image, "label": 0} for image in (one, empty, two)], "classification"),
        "val": scanned([{"image": image, "label": 0} for image in (empty, two)], "classification"),
    }
    assert find_shared(splits) == [["train", "s2", "val", "s1"]]


def test_a_limit_reads_that_many_and_says_so():
    samples = [{"image": np.full((1, 2, 2), number), "label": number} for number in range(50)]
    seen = scanned(samples, "classification", limit=10).survey()
    assert (seen.samples, seen.read) == (50, 10)
    assert seen.labels.counts == scanned(samples, "classification", limit=10).survey().labels.counts


def test_infinite_pixels_and_labels_are_told_apart_from_no_data():
    image = np.array([[[np.nan, np.inf], [1.0, -np.inf]]])
    seen = scanned([{"image": image, "mask": np.array([[np.nan, np.inf], [0, 1.0]])}]).survey()
    assert (seen.images["image"].not_finite, seen.images["image"].infinite) == ([0.75], [0.5])
    assert (seen.labels.not_finite, seen.labels.counts) == (1, {-1: 1, 0: 1, 1: 1})


LABELLED = st.lists(
    st.tuples(
        arrays(np.float32, (2, 3, 3), elements=st.floats(-1e4, 1e4, width=32) | st.just(float("nan"))),
        arrays(np.int64, (3, 3), elements=st.integers(-1, 4)),
    ),
    min_size=2,
    max_size=12,
)


def assert_alike(one, other):
    """Equal, but for the rounding of sums."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_alike(first, second)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=1e-6, abs=0.2)
    else:
        assert one == other


@pytest.mark.parametrize("task", ["segmentation", "regression"])
@given(samples=LABELLED, cut=st.integers(1, 5))
def test_counting_in_parts_is_counting_at_once(samples, cut, task):
    given_samples = [{"image": image, "mask": mask} for image, mask in samples]
    whole, parted = scanned(given_samples, task), scanned(given_samples[:cut], task)
    rest = [f"s{number}" for number in range(cut, len(samples))]
    parted.merge(scan_split(given_samples[cut:].__getitem__, rest, task, -1, None))
    parted.samples = whole.samples
    assert_alike(asdict(whole.survey()), asdict(parted.survey()))
    assert whole.digests == parted.digests


def test_a_look_by_several_processes_is_that_of_one(tmp_path):
    chance = np.random.default_rng(0)
    samples = [{"image": chance.normal(0, 1, (1, 4, 4)), "label": index % 3} for index in range(450)]

    def read(index):
        if index == 333:
            raise OSError("no image")
        return samples[index]

    names = [f"s{index}" for index in range(450)]
    looks = [
        scan_split(
            read, names, "classification", None, 420, InParts(processes=processes, folder=tmp_path / str(processes))
        )
        for processes in (1, 3)
    ]
    assert looks[0].survey() == looks[1].survey()
    assert list(looks[0].digests.items()) == list(looks[1].digests.items())
