"""Labels may be a table's name or several settings; studies from before keep what they stored."""

import pytest
import yaml

from terrasweep.config.compose import as_dict, trial_config
from terrasweep.config.data import DataConfig, LabelsConfig
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial


@pytest.mark.parametrize(
    "written", [["data.labels=t.csv"], ["data.labels.table=t.csv"], ["data.labels={table: t.csv}"]]
)
def test_a_table_of_labels_is_named_in_any_of_three_ways(written):
    data = compose_trial("data=classification_folder", "data.root=x", *written).data
    assert data.label_settings == LabelsConfig(table="t.csv")
    assert data.labels == "t.csv"


def test_no_labels_are_stored_as_null():
    assert compose_trial("data=classification_folder", "data.root=x").data.labels is None
    assert DataConfig(name="x").written_briefly().labels is None


def test_an_unknown_key_is_named():
    with pytest.raises(InvalidConfig, match=r"data.labels.tabel: there is no such key; use table"):
        compose_trial("data=classification_folder", "data.root=x", "data.labels.tabel=t.csv")


def test_what_is_stored_comes_back():
    config = compose_trial("data=classification_folder", "data.root=x", "data.labels=t.csv")
    assert trial_config(yaml.safe_load(yaml.safe_dump(as_dict(config)))) == config
