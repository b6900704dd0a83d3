"""A study has a page of its data from its start, written again only where the data have changed."""

import dataclasses

import pytest

from terrasweep.data.inspect.pictures import draw
from terrasweep.data.inspect.pictures.draw import DataPictures
from terrasweep.study.data_page import write_data_page
from terrasweep.trial import prepare
from tests.unit.data.surveys import config, survey
from tests.unit.report import sample_study as sample


@pytest.fixture
def drawings(monkeypatch):
    """How often the data were drawn."""
    drawn = []

    def drawing(given, seen, findings):
        drawn.append(given)
        return DataPictures(findings=[])

    monkeypatch.setattr(prepare, "judge", lambda given: (survey(), []))
    monkeypatch.setattr(draw, "draw", drawing)
    return drawn


def test_the_page_is_written_once_for_each_state_of_the_data(tmp_path, drawings):
    record = sample.record(data={"state": "a"})
    for before in (None, record, dataclasses.replace(record, data={"state": "b"})):
        write_data_page(tmp_path, config(), record, before)
    assert len(drawings) == 2
    (tmp_path / "data.html").unlink()
    write_data_page(tmp_path, config(), record, record)
    assert len(drawings) == 3
    assert (tmp_path / "data.html").is_file()


def test_synthetic_data_have_no_page(tmp_path, drawings):
    write_data_page(tmp_path, config(), sample.record(data={}), None)
    assert drawings == []
    assert list(tmp_path.iterdir()) == []


def test_a_study_starts_without_its_page_too(tmp_path, drawings, monkeypatch, capsys):
    def failing(*_):
        raise ValueError("no such pixel\nmore")

    monkeypatch.setattr(draw, "draw", failing)
    write_data_page(tmp_path, config(), sample.record(data={"state": "a"}), None)
    assert capsys.readouterr().err == (
        f"warning: {tmp_path}/data.html: the page of the data was not written: no such pixel\n"
    )
