"""A section is found and replaced by its name, whoever declares it."""

import dataclasses

import pytest

from terrasweep.config.schema import TrialConfig
from tests.composing import compose_trial


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    name: str = "off"


OWN = [field.name for field in dataclasses.fields(TrialConfig) if field.name != "outside"]


@pytest.fixture(scope="module")
def config():
    return dataclasses.replace(compose_trial(), outside={"one": Settings(), "two": Settings(name="on")})


@pytest.mark.parametrize("group", OWN)
def test_an_own_section_is_the_field_of_that_name(config, group):
    assert config.settings(group) is getattr(config, group)


@pytest.mark.parametrize("group", [*OWN, "one", "two"])
def test_replacing_a_section_changes_it_alone_and_in_the_copy_alone(config, group):
    before = {name: config.settings(name) for name in (*OWN, "one", "two")}
    marker = object()
    changed = config.with_settings(group, marker)
    assert changed.settings(group) is marker
    assert {name: changed.settings(name) for name in before} == before | {group: marker}
    assert {name: config.settings(name) for name in before} == before
    assert changed.with_settings(group, before[group]) == config


def test_a_section_that_nobody_declares_is_an_error(config):
    with pytest.raises(AttributeError, match="three"):
        config.settings("three")
    with pytest.raises(TypeError, match="three"):
        config.with_settings("three", Settings())


def test_every_section_is_frozen():
    """Trials share what they were composed of."""
    config = compose_trial()
    for section in (config, *(config.settings(group) for group in OWN)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(section, dataclasses.fields(section)[0].name, None)
