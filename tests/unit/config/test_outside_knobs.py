"""A broken declaration of another package gives one line that names the package."""

import dataclasses
import sys

import pytest

from terrasweep.config import compose, outside_knobs
from terrasweep.config.knobs.knob import Knob
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.outside_package import install

BROKEN = {
    "an import fails": (("from dataclasses", "import no_such_module\nfrom dataclasses"), "no_such_module"),
    "no knob": (("freeze_norms:KNOB", "freeze_norms:FreezeNorms"), "it is no Knob"),
    "a name that is taken": (('group="freeze_norms"', 'group="tuning"'), "group=tuning: it is taken"),
    "a field is not declared": ((', "last": {"quality", "memory", "speed"}', ""), "bears_on: last"),
    "an unknown number": (('"last": {"quality"', '"last": {"beauty"'), "only memory, quality, speed"),
    "no options": (('options=(FreezeNorms(name="off"), FreezeNorms(name="on"))', "options=()"), "options="),
    "settings of another kind": (
        ("settings=FreezeNorms", "settings=dict"),
        "settings is no dataclass with a field `name`",
    ),
    "two options of a name": (
        ('FreezeNorms(name="on")', 'FreezeNorms(name="off")'),
        "['off', 'off']: each needs a name",
    ),
    "an option that is no name": (('FreezeNorms(name="on")', 'FreezeNorms(name="o n")'), "'o n']: each needs a name"),
    "another default": (('off="off"', 'off="on"'), "off=on: the first option, off"),
    "no function": (("freeze_norms_transform:freeze", "freeze_norms_transform"), "give a Stage and module:function"),
    "an unknown key": (('"tuning.name", ("frozen"', '"tuning.nam", ("frozen"'), "there is no key tuning.nam"),
    "a type that is none of OmegaConf's": (("last: int = 0", "last: complex = 0j"), "complex"),
    "a check that fails": (("if freeze_norms.last < 0", "if freeze_norms.lost < 0"), "AttributeError"),
    "no check": (("find_bad_values=find_bad_values", "find_bad_values=None"), "TypeError"),
    "an unknown argument": (('off="off",', 'off="off",\n    on="on",'), "unexpected keyword argument"),
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs the example with changes in this process."""

    def install_here(*replacements):
        monkeypatch.syspath_prepend(str(install(tmp_path, *replacements)))
        forget()

    def forget():
        sys.modules.pop("freeze_norms", None)
        outside_knobs.outside_knobs.cache_clear()
        compose._schema.cache_clear()

    yield install_here
    monkeypatch.undo()
    forget()
    compose.register_schema()


@pytest.mark.parametrize(("replacement", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_declaration_is_one_line(installed, replacement, told):
    installed(replacement)
    with pytest.raises(InvalidConfig) as refused:
        compose.register_schema()
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("package terrasweep-freeze-norms: its knob freeze_norms (")
    assert told in line
    assert line.endswith("; mend or uninstall the package")


def test_a_configuration_with_it_is_stored_flat_and_loads_again(installed):
    installed()
    config = compose_trial("freeze_norms=on", "freeze_norms.last=1")
    stored = compose.public_dict(config)
    assert stored["freeze_norms"] == {"name": "on", "last": 1}
    assert compose.trial_config(stored) == config
    assert compose.fixed_settings(config)["freeze_norms.last"] == 1


def test_a_configuration_stored_before_has_the_default(installed):
    stored = compose.public_dict(compose_trial())
    installed()
    assert compose.trial_config(stored).settings("freeze_norms").name == "off"


def test_a_configuration_of_a_package_that_is_gone_is_refused():
    stored = {**compose.public_dict(compose_trial()), "freeze_norms": {"name": "on"}}
    with pytest.raises(InvalidConfig, match=r"^freeze_norms: there is no such group; .* another package, install"):
        compose.trial_config(stored)


def test_two_packages_can_not_declare_the_same_group(installed, monkeypatch, tmp_path):
    installed()
    second = install(tmp_path / "second", ("terrasweep-freeze-norms", "another"))
    monkeypatch.syspath_prepend(str(second))
    outside_knobs.outside_knobs.cache_clear()
    with pytest.raises(InvalidConfig, match=r"^package \S+: .*group=freeze_norms: it is taken"):
        outside_knobs.outside_knobs()


def test_a_declaration_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Knob(group="x", settings=object, bears_on={}).group = "y"
