"""From overrides to a TrialConfig: what is refused, and what may be stored."""

import pytest

from terrasweep.config.compose import fixed_settings, public_dict
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("+foo=1", "foo: there is no such group"),
        ("+train.foo=1", "train.foo: there is no such key; there are: "),
        ("+train.learning=1", "train.learning: there is no such key"),
        ("++data.synthetic.trainn=1", "data.synthetic.trainn: there is no such key; did you mean train?"),
    ],
)
def test_a_key_that_no_section_has_is_one_line(override, told):
    with pytest.raises(InvalidConfig) as refused:
        compose_trial(override)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(told)


@pytest.mark.parametrize("override", ["~train", "~train=default", "~tuning", "~tracking"])
def test_a_group_that_is_taken_out_is_one_line(override):
    group = override.strip("~").partition("=")[0]
    with pytest.raises(InvalidConfig) as refused:
        compose_trial(override)
    assert str(refused.value) == (
        f"~{group}: a group can't be taken out; drop this, or choose another option by {group}=NAME"
    )


def test_what_is_no_part_of_a_trial_may_be_taken_out():
    assert compose_trial("~search_spaces") == compose_trial()


def test_free_arguments_take_any_key():
    assert compose_trial("backbone.arguments.drop_path=0.1").backbone.arguments["drop_path"] == 0.1


def test_what_may_be_stored_tells_no_password():
    secret = "geheim7"  # noqa: S105 - what the test looks for
    config = compose_trial(
        f"study.storage='postgresql://me:{secret}@host/db'",
        f"tracking.uri='https://host?password={secret}'",
        f"data.root='https://host/x?token={secret}'",
    )
    assert secret in config.tracking.uri
    assert secret not in str(public_dict(config))
    assert secret not in str(fixed_settings(config))


def test_a_key_without_a_value_is_refused_by_its_name_unless_it_has_a_default():
    with pytest.raises(InvalidConfig, match=r"^backbone\.name: .*missing mandatory value"):
        compose_trial("backbone=any")
    config = compose_trial("data=regression_folder", "backbone=any", "backbone.name=timm_resnet18")
    assert (config.backbone.name, config.data.root) == ("timm_resnet18", None)
