"""What of a public set is not on the disk is told in one line, with where to get it."""

import pytest

from terrasweep.data.open.public_sources import GEOBENCH_FOLDERS, SOURCES, find_absent
from tests.composing import ROOT, compose_trial


def config(name, root):
    return compose_trial(f"data={name}", f"data.root={root}")


@pytest.mark.parametrize("name", SOURCES)
def test_each_part_that_is_missing_is_named_with_where_to_get_it(name, tmp_path):
    """Of the parts that a set needs, one after the other is made: the last one alone silences the line."""
    (tmp_path / "set").mkdir()
    given = config(name, tmp_path / "set")
    for alternatives in SOURCES[name].required_paths:
        line = find_absent(given)
        assert line.startswith(f"data.root={tmp_path}/set: it has no {' or '.join(alternatives)}; ")
        assert SOURCES[name].where in line
        assert "\n" not in line
        (tmp_path / "set" / alternatives[-1]).mkdir(parents=True)
    assert find_absent(given) is None


@pytest.mark.parametrize("name", SOURCES)
def test_a_set_without_its_folder_is_one_line_with_where_to_get_it(name, tmp_path):
    for root in (tmp_path / "nowhere", "null"):
        line = find_absent(config(name, root))
        assert line.startswith(f"data.root={root}: ")
        assert SOURCES[name].where in line


def test_every_public_set_has_a_configuration_that_downloads_nothing():
    shipped = {file.stem for file in (ROOT / "src/terrasweep/conf/data").glob("*.yaml")}
    assert shipped >= SOURCES.keys()
    assert {name for name in shipped if name.startswith("geobench_")} == GEOBENCH_FOLDERS.keys()
    for name in SOURCES:
        given = config(name, "data").data
        assert given.name == name
        assert given.arguments.get("download", False) is False


def test_a_datamodule_of_the_user_s_own_needs_no_folder_but_one_that_is_named_has_to_be_there():
    own = ["data=datamodule", "data.datamodule=own.Data"]
    assert find_absent(compose_trial(*own)) is None
    assert find_absent(compose_trial(*own, "data.root=/")) is None
    assert find_absent(compose_trial(*own, "data.root=/nowhere")).endswith("; give an existing one")
