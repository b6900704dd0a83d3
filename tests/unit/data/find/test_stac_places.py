"""When and where items are, in the ways that catalogues write it."""

import pytest

from terrasweep.data.find.stac_places import centre, sites, when

SQUARE = [[10.0, 50.0], [12.0, 50.0], [12.0, 51.0], [10.0, 51.0], [10.0, 50.0]]


def polygon(ring):
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"datetime": "2024-01-10T10:30:21.204012Z"}, ("2024-01-10T10:30:21.204012Z", ("2024-01-10",))),
        ({"datetime": None, "start_datetime": "2024-01-01T00:00:00Z"}, ("2024-01-01", ("2024-01-01",))),
        (
            {"datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-31T23:59:59Z"},
            ("2024-01-16", ("2024-01-16",)),
        ),
        ({"datetime": None}, ("", ())),
        ({"datetime": "soon"}, ("", ())),
    ],
)
def test_when_an_item_was(properties, expected):
    assert when(properties) == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"bbox": [10, 50, 12, 51]}, (50.5, 11)),
        ({"bbox": [10, 50, 0, 12, 51, 900]}, (50.5, 11)),
        ({"geometry": polygon(SQUARE)}, (50.5, 11)),
        ({"geometry": {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}}, (50.5, 11)),
        ({"geometry": {"type": "Point", "coordinates": [11.5, -3.25, 200.0]}}, (-3.25, 11.5)),
        ({"bbox": [179, -17, -179, -16]}, (-16.5, -180)),
        ({"bbox": [178, -17, -179, -16]}, (-16.5, 179.5)),
        ({"geometry": None}, None),
        ({"bbox": ["w", "s", "e", "n"]}, None),
        ({"geometry": {"type": "Point", "coordinates": ["x", "y"]}}, None),
        ({}, None),
    ],
)
def test_where_an_item_is(item, expected):
    assert centre(item) == (None if expected is None else pytest.approx(expected))


def test_items_of_one_place_agree_however_their_ring_begins_and_is_rounded():
    turned = [[x + 1e-9, y] for x, y in [*SQUARE[1:], SQUARE[1]]]
    assert sites({"geometry": polygon(SQUARE)}) == sites({"geometry": polygon(turned)}) != {}
    assert sites({"geometry": polygon(SQUARE)}) != sites({"geometry": polygon([[x, y + 1] for x, y in SQUARE])})


def test_a_grid_is_alike_where_footprints_differ():
    def item(west, ring):
        grid = {"proj:code": "EPSG:32633", "proj:shape": [64, 64], "proj:transform": [10, 0, west, 0, -10, 5e6]}
        return {"geometry": polygon(ring), "properties": grid}

    first, second = sites(item(3e5, SQUARE)), sites(item(3e5, SQUARE[:3]))
    assert first["their grid"] == second["their grid"] != sites(item(4e5, SQUARE))["their grid"]
    assert first["their geometry"] != second["their geometry"]
    assert sites({"properties": {"proj:code": "EPSG:32633"}}) == {}


def test_grids_in_words_of_their_own_agree_however_they_are_rounded():
    def item(degrees):
        projected = {"type": "GeographicCRS", "datum": {"prime_meridian": {"longitude": degrees}}}
        return {"properties": {"proj:projjson": projected, "proj:bbox": [0, 0, 1, 1]}}

    assert sites(item(2.3372291700)) == sites(item(2.3372291701)) != {}
    assert sites(item(2.3372291700)) != sites(item(2.5))
