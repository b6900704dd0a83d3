"""Every key says what it bears on, and why not on all; docs/measurements.md shows it."""

import dataclasses

import pytest

from terrasweep.config.bears_on import KEYS, SECTIONS, bearing, bearings, bearings_table
from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import EVERYTHING
from terrasweep.config.schema import TrialConfig
from tests.composing import ROOT, compose_trial

BY_GROUP = {knob.group: knob for knob in KNOBS}


@pytest.fixture(scope="module")
def declared():
    return {key: found for key, _, found in bearings(compose_trial())}


def test_every_key_of_the_schema_has_its_bearing(declared):
    config = TrialConfig()
    keys = {
        f"{section.name}.{field.name}"
        for section in dataclasses.fields(config)
        if section.name != "outside"
        for field in dataclasses.fields(getattr(config, section.name))
    }
    assert declared.keys() == keys


def test_what_is_declared_is_a_key(declared):
    assert declared.keys() >= KEYS.keys()
    assert {key.partition(".")[0] for key in declared} >= SECTIONS.keys()


def test_an_exemption_says_why(declared):
    exempt = {key for key, found in declared.items() if found.numbers != EVERYTHING or found.cost is not None}
    assert exempt
    assert not {key for key in exempt if not declared[key].why}
    assert not {key for key in exempt if declared[key].rounding and "quality" in declared[key].numbers}


def test_a_key_that_is_not_declared_bears_on_everything():
    assert bearing("backbone.name", BY_GROUP).numbers == EVERYTHING
    assert bearing("train.brand_new", BY_GROUP).numbers == EVERYTHING
    assert bearing("checkpointing.brand_new", BY_GROUP).numbers == EVERYTHING


def test_the_docs_show_it():
    assert bearings_table() in (ROOT / "docs" / "measurements.md").read_text()
