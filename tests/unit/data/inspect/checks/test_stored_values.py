"""What masks look like whose values are no class numbers, judged by the counts alone."""

import pytest

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.checks.stored_values import looks_like, renumbered
from tests.unit.data.surveys import config, labels, survey

ROADS = dict.fromkeys(range(256), 3) | {0: 5000, 255: 900}


def seen(counts, **changes):
    return survey(
        train={"labels": labels("segmentation", 40, counts=counts)},
        val={"labels": labels("segmentation", 20, counts=counts)},
        num_classes=max(counts) + 1,
        class_names=None,
        **changes,
    )


@pytest.mark.parametrize(
    ("counts", "key"),
    [
        ({0: 9, 255: 1}, "data.labels.map={0: 0, 255: 1}"),
        ({1: 9, 2: 1}, "data.labels.map={1: 0, 2: 1}"),
        ({0: 9, 255: 1, -1: 5}, "data.labels.map={0: 0, 255: 1}"),
        (ROADS, "data.labels.threshold=128"),
        ({0: 90, 1: 2, 50: 1, 98: 2, 99: 1, 100: 60}, "data.labels.threshold=50"),
        ({0: 9, 1: 9, 255: 9}, None),
        (dict.fromkeys(range(10), 9) | {255: 1}, None),
        (dict.fromkeys(range(200), 9) | {0: 9000}, None),
        (dict.fromkeys(range(5), 9), None),
    ],
)
def test_two_values_and_grey_levels_are_told_from_classes(counts, key):
    found = looks_like(Case(seen(counts), config()))
    assert (found[1] if found else None) == key


def test_a_key_that_is_set_is_not_offered_again():
    given = config(data__labels={"map": {0: 0}})
    assert looks_like(Case(seen({0: 9, 255: 1}), given)) is None
    assert renumbered(Case(seen({0: 9, 255: 1}), given)) is None


def test_values_are_listed_up_to_sixteen():
    assert renumbered(Case(seen({0: 1, 5: 1, 9: 1}), config())) == "data.labels.map={0: 0, 5: 1, 9: 2}"
    assert renumbered(Case(seen(dict.fromkeys(range(17), 1)), config())) is None


def findings(counts, *, named=None, **changes):
    return find_problems(seen(counts, **changes), config(data__class_names=named))


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        (dict.fromkeys(range(64), 9), []),
        (dict.fromkeys(range(65), 9), ["class-many"]),
        (dict.fromkeys(range(20), 1) | {20: 99999, 21: 99999}, ["class-many"]),
        ({0: 99999, 1: 1}, ["class-rare"]),
        (ROADS, ["class-many"]),
    ],
)
def test_more_classes_than_anybody_means_are_one_error(counts, found):
    assert [finding.rule for finding in findings(counts)] == found
    assert "class-many" not in [f.rule for f in findings(counts, named=[str(label) for label in range(256)])]


def test_the_line_has_what_it_looks_like_and_every_way_out():
    (line,) = [finding.line for finding in findings(ROADS)]
    assert line == (
        "data.num_classes=null: masks of train have 256 labels from 0 to 255: they look like grey levels of two "
        "classes (91.4 % of the pixels near 0 or 255), as blurring, resampling or JPEG make them; set "
        "'data.labels.threshold=128', or data.num_classes=256 if all are classes"
    )
