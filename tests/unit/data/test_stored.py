"""What is known of a data set goes by the files that a configuration names, whatever else its arguments are."""

import sys

import pytest

from terrasweep.data import stored
from tests.composing import compose_trial

STRANGE = {
    "a mapping longer than a file name": {"bands": {f"band_{i}": f"its_own_name_{i}" for i in range(60)}},
    "a text longer than a file name": {"query": "SELECT " + 500 * "x"},
    "a text longer than a path": {"query": 200 * "folder/" + 5000 * "x"},
    "a home that nobody has": {"root": "~nobody_of_this_name/tiles"},
    "a text with a NUL": {"separator": "a\0b"},
    "nothing": {"transform": None, "name": "", "sizes": [], "options": {}},
    "numbers": {"size": 64, "rate": 0.5, "shuffle": True, "sizes": [1, [2, 3]]},
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    stored._state.cache_clear()


def state(arguments, *overrides):
    stored._state.cache_clear()
    base = compose_trial("data=datamodule", "data.datamodule=own.Data", "data.bands=[RED]", *overrides)
    base.data.arguments.update(arguments)
    return stored.located(base).data.state


@pytest.mark.parametrize("kind", STRANGE)
def test_an_argument_that_is_no_file_s_name_is_an_argument(kind):
    found = state(STRANGE[kind])
    assert found == state(STRANGE[kind])
    assert found != state({**STRANGE[kind], "another": 1})


def test_the_longest_shipped_arguments_have_a_state():
    config = compose_trial("data=geobench_m_eurosat", "data.root=nowhere", "task=classification", "decoder=identity")
    assert stored.located(config).data.state.startswith("geobench_m_eurosat-")


@pytest.mark.parametrize("wrap", [lambda path: path, lambda path: {"S2": path}, lambda path: [{"S2": [path]}]])
def test_a_file_that_an_argument_names_counts_at_whatever_depth(wrap, tmp_path):
    (tmp_path / "tiles").mkdir()
    arguments = {"roots": wrap("tiles")}
    before = state(arguments)
    assert state(arguments) == before
    (tmp_path / "tiles" / "new.tif").write_text("more")
    assert state(arguments) != before


def test_the_file_of_a_datamodule_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = state({})
    (tmp_path / "own.py").write_text("class Data: ...")
    assert state({}) != before


def test_a_datamodule_without_a_module_has_no_file():
    assert stored._sources("Foo") == []
