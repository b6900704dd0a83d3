"""The page of a data set: everything is inside it, names are text, and each part stands where there is something."""

import dataclasses
import re

import numpy as np
import pytest

from terrasweep.data.inspect.checks import Finding, describe, find_problems
from terrasweep.data.inspect.pictures.cards import DateStrip, Picture, SampleCard
from terrasweep.data.inspect.pictures.draw import DataPictures, Explained
from terrasweep.data.inspect.pictures.histograms import band_histogram
from terrasweep.data.inspect.pictures.input_cards import ModelInput
from terrasweep.data.inspect.pictures.tile_map import TileMap
from terrasweep.report.data_page import BANDS, CLASSES, PLOT, plotted, write_data_page
from tests.unit.data.surveys import config, image, labels, survey

HOSTILE = '<script>alert("1")</script>'
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def pictures(**changes):
    """Something of everything, with markup for names."""
    card = SampleCard(
        split="train",
        name=HOSTILE,
        pictures=[Picture(title="image", source=DOT, over=DOT), Picture(title="mask", source=DOT, sharp=True)],
        labels=[(HOSTILE, "#00ff00")],
        problem=HOSTILE,
    )
    chance = np.random.default_rng(0)
    values = {split: np.append(chance.normal(9, 2, 999), -9999.0) for split in ("train", "val")}
    corners = ("48.753° N, 15.000° E", "48.661° N, 15.139° E")
    tiles = TileMap(title=HOSTILE, height=200, outlines={"val": "M0 0h9v9h-9z"}, tiles={"val": 1}, corners=corners)
    finding = Finding(rule="label-range", level="error", line=f"labels outside 0 to 2: 9 (first in train/{HOSTILE})")
    fields = {
        "findings": [Explained(finding=finding, cards=[card])],
        "cards": [card],
        "shown": "RED, GREEN, BLUE",
        "legend": [(HOSTILE, "#00ff00")],
        "model_inputs": [
            ModelInput(
                heading=HOSTILE,
                note="2 x 8 x 8",
                bands=[Picture(title=HOSTILE, source=DOT)],
                turned=[Picture(title="turned by 180°", source=DOT, over=DOT)],
            )
        ],
        "augment": "d4",
        "histograms": [("image", [band_histogram("RED", values)])],
        "counted": {"train": 40, "val": 20},
        "maps": [tiles],
    }
    return DataPictures(**fields | changes)


def written(folder, drawn, seen=None, given=None):
    seen, given = seen or survey(), given or config()
    write_data_page(folder / "data.html", drawn, describe(seen, given, find_problems(seen, given)))
    return (folder / "data.html").read_text()


@pytest.fixture
def page(tmp_path):
    named = dataclasses.replace(survey(), class_names=["bare", "crop", HOSTILE])
    return written(tmp_path, pictures(), named, config(data__root=f"/tiles/{HOSTILE}"))


def test_names_are_text_and_never_markup(page):
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#34;1&#34;)") >= 8


def test_everything_is_inside_the_page(page):
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    assert policy in page
    assert {address.partition(":")[0] for address in re.findall(r'src="([^"]*)"', page)} == {"data"}
    assert {link for link in re.findall(r'href="([^"]*)"', page) if link[0] != "#"} == {"data:,"}
    assert "url(" not in page


def test_each_part_has_its_section_and_its_link(page):
    sections = re.findall(r'<section id="(\w+)">', page)
    assert sections == ["findings", "samples", "input", "histograms", "classes", "map", "numbers"]
    assert re.findall(r'<a href="#(\w+)">', page) == sections
    assert "1 error: a sweep on this data would not start." in page
    assert 'class="fill-val" d="M0 0h9v9h-9z"' in page


def test_strips_of_dates_say_what_they_leave_out(tmp_path):
    days = [Picture(title=f"2024-0{month}-10", source=DOT, over=DOT) for month in (1, 2)]
    strips = [DateStrip(title="5 dates", pictures=days, more=3), DateStrip(title=HOSTILE, pictures=days, more=1)]
    card = SampleCard(split="train", name="a", pictures=[Picture(title="mask", source=DOT)], strips=strips)
    shown = ModelInput(heading="train/a", note="2 x 5 x 8 x 8", bands=days, more=8, is_mean=True)
    page = written(tmp_path, pictures(cards=[card], model_inputs=[shown]))
    for text in (
        "<h4>5 dates</h4>",
        "2024-02-10",
        "and 3 more dates<",
        "and 1 more date<",
        "and 8 more bands<",
        "before their mean",
    ):
        assert text in page
    assert "Lay the masks over the images" in page
    assert "<script" not in page


def test_the_symmetries_of_a_training_are_shown_where_there_are_any(page, tmp_path):
    assert "augment=d4: whenever a training sample comes to its turn" in page
    assert page.count("turned by 180°") == 1
    plain = ModelInput(heading="train/a", note="2 x 8 x 8", bands=[Picture(title="RED", source=DOT)])
    assert "augment=" not in written(tmp_path, pictures(model_inputs=[plain], augment="none"))


def test_without_pictures_there_are_numbers_and_a_line(tmp_path):
    page = written(tmp_path, DataPictures(findings=[], absent="mine.Module reads these data."))
    assert "mine.Module reads these data." in page
    assert re.findall(r'<section id="(\w+)">', page) == ["findings", "classes", "numbers"]
    assert "<img" not in page
    assert "Nothing was found that is wrong." in page


def test_bars_are_longest_for_the_largest_share(page):
    bars = re.findall(r'<i class="(\w+)" style="width:([\d.]+)%"></i><b>([\d.]+) %</b>', page)
    assert ("train", "100.0", "50.0") in bars
    assert ("val", "50.0", "25.0") in bars


def test_of_many_classes_those_with_the_largest_shares_are_drawn(tmp_path):
    many = labels("classification", 40, counts=dict.fromkeys(range(70), 1) | {65: 9}, counted=78)
    seen = survey("classification", train={"labels": many}, num_classes=70, class_names=None)
    page = written(tmp_path, pictures(), seen, config("classification"))
    assert "<h4>65</h4>" in page
    assert page.count("<h4>") == CLASSES
    assert f"and {70 - CLASSES} more with the smallest shares in train" in page


def test_no_data_and_values_apart_are_marked_beside_the_histogram():
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 900), np.full(100, -9999.0)])
    missing = survey(train={"images": {"image": image(40, not_finite=[0.25, 0.0])}})
    summary = describe(missing, config(), [])["summary"]
    histogram = band_histogram("RED", {"train": values, "val": values})
    _, (band,) = plotted("image", [histogram], summary)
    assert band.notes == ["no data: 25.0 %", "-9,999 stands apart: 10.0 %"]
    ((x, height),) = band.apart
    assert x < PLOT[0] / 2
    assert 0 < height <= PLOT[1]
    assert plotted("image", [histogram] * 50, summary)[1][BANDS:] == []
    # The outline rises to the top and stays within the drawing.
    heights = [float(number) for number in re.findall(r"V([\d.]+)", band.outlines["train"])]
    assert min(heights) == 0
    assert max(heights) <= PLOT[1]
