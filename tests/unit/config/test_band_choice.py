"""What data.bands means to files with such bands."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.config.band_choice import OwnBands, are_numbers, chosen_places, find_contradiction, given_bands
from terrasweep.config.data import DataConfig, ModalityConfig

NAMED = OwnBands(names=("BLUE", "GREEN", "RED", "NIR"), read=(0, 1, 2, 3), described=True)
UNNAMED = OwnBands(names=("B1", "B2", "B3", "B4"), read=(0, 1, 2, 3))
ORTHO = OwnBands(names=("B1", "B2", "B3", "B4"), read=(0, 1, 2), has_alpha=True)
PHOTO = OwnBands(names=("RED", "GREEN", "BLUE"), read=(0, 1, 2))

CHOICES = {
    "nothing is said": (NAMED, [], (0, 1, 2, 3)),
    "names choose": (NAMED, ["RED", "BLUE"], (2, 0)),
    "names reorder": (NAMED, ["NIR", "RED", "GREEN", "BLUE"], (3, 2, 1, 0)),
    "small letters are the same": (NAMED, ["red"], (2,)),
    "new names": (NAMED, ["B2", "B3", "B4", "B8"], (0, 1, 2, 3)),
    "a new name among known ones": (NAMED, ["BLUE", "GREEN", "RED", "NIR_NARROW"], (0, 1, 2, 3)),
    "numbers choose": (NAMED, ["3", "1"], (2, 0)),
    "a number that there is not": (NAMED, ["5"], (0, 1, 2, 3)),
    "a number twice": (NAMED, ["1", "1"], (0, 1, 2, 3)),
    "too few unknown names": (NAMED, ["SWIR"], (0, 1, 2, 3)),
    "fewer of the names that nobody gave": (UNNAMED, ["B4", "B3", "B2"], (3, 2, 1)),
    "as many are new names, since the files have none": (UNNAMED, ["B4", "B3", "B2", "B1"], (0, 1, 2, 3)),
    "numbers reorder them": (UNNAMED, ["4", "3", "2", "1"], (3, 2, 1, 0)),
    "three names for a photo with alpha": (ORTHO, ["R", "G", "B"], (0, 1, 2)),
    "four names want the alpha band": (ORTHO, ["R", "G", "B", "A"], (0, 1, 2, 3)),
    "the names of what is read": (ORTHO, ["B1", "B2", "B3"], (0, 1, 2)),
    "a false-colour photo": (PHOTO, ["NIR", "RED", "GREEN"], (0, 1, 2)),
    "one colour of a photo": (PHOTO, ["GREEN"], (1,)),
}


@pytest.mark.parametrize("case", CHOICES)
def test_what_is_read(case):
    own, said, places = CHOICES[case]
    assert chosen_places(own, said) == places


@given(st.permutations(range(4)), st.integers(1, 4))
def test_a_choice_by_number_and_by_name_is_the_same(order, count):
    places = tuple(order[:count])
    assert chosen_places(NAMED, [str(place + 1) for place in places]) == places
    assert chosen_places(NAMED, [NAMED.names[place] for place in places]) == places


def test_a_new_name_that_is_another_band_s_contradicts():
    told = "band 1 would get the name RED, which is the files' own name of band 3"
    assert find_contradiction(NAMED, ["RED", "GREEN", "SWIR", "NIR"]) == told
    for said in ([], ["RED", "BLUE"], ["B2", "B3", "B4", "B8"], ["BLUE", "GREEN", "RED", "SWIR"], ["4", "3"]):
        assert find_contradiction(NAMED, said) is None
    assert find_contradiction(PHOTO, ["NIR", "RED", "GREEN"]) is None


@pytest.mark.parametrize("said", [["5"], ["0"], ["1", "1"], ["1", "2", "3", "5"]])
def test_numbers_that_there_are_not_contradict(said):
    assert find_contradiction(UNNAMED, said) == "the files have the bands 1 to 4, each once"


def test_a_band_is_named_once():
    assert find_contradiction(NAMED, ["RED", "red", "NIR", "BLUE"]) == "RED is named twice"


def test_numbers_are_told_from_names():
    assert are_numbers(["4", "13"])
    assert not any(map(are_numbers, ([], ["B4"], ["4", "RED"])))


def test_a_modality_has_its_own():
    data = DataConfig(bands=["RED"], modalities={"S1": ModalityConfig(bands=["VV"])})
    assert (given_bands(data, "S1"), given_bands(data, "image")) == (["VV"], ["RED"])


def test_they_are_stored_and_read_again():
    assert OwnBands.from_dict(json.loads(json.dumps(asdict(ORTHO)))) == ORTHO


def test_names_alone_tell_whose_they_are():
    assert OwnBands.of_names(["B1", "B2"]) == OwnBands(names=("B1", "B2"), read=(0, 1))
    assert OwnBands.of_names(["RED", "GREEN", "BLUE"]) == PHOTO
    assert OwnBands.of_names(list(NAMED.names)) == NAMED
