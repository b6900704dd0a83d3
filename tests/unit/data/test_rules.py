"""What is wrong about the names that a configuration gives, in one line each and before any of them is opened."""

import pytest

from terrasweep.data import rules
from tests.composing import compose_trial

NO_PATHS = ["Foo", "own.", ".Foo", "own..Foo", "own/data.Foo", "own data.Foo", "3d.Foo"]


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_datamodule_that_is_no_import_path_is_one_line(path):
    config = compose_trial("data=datamodule", f"data.datamodule='{path}'", "data.bands=[RED]")
    (line,) = rules.find_bad_values(config)
    assert line.startswith(f"data.datamodule={path}: it ")
    assert "give an import path like my_package.data.MyDataModule" in line


@pytest.mark.parametrize("path", ["own.Foo", "a_package.of_mine.Foo3", "übung.Bäume"])
def test_an_import_path_is_looked_up_later(path):
    config = compose_trial("data=datamodule", f"data.datamodule='{path}'", "data.bands=[RED]")
    assert list(rules.find_bad_values(config)) == []


@pytest.mark.parametrize("data", ["segmentation_folder", "eurosat"])
def test_a_root_that_is_longer_than_a_name_may_be_is_not_there(data):
    config = compose_trial(f"data={data}", f"data.root={300 * 'x'}")
    (line,) = rules.find_bad_values(config)
    assert "there is no " in line
