"""From Hydra's composed configuration to a TrialConfig, and from there to plain values that can be stored."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import yaml
from hydra import compose as compose_with_hydra
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config import help_text
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.renamed_keys import describe_renamed, with_present_names
from terrasweep.config.schema import TrialConfig
from terrasweep.config.yaml_files import describe_unreadable, find_lists
from terrasweep.machine import startup
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.secrets import masked_values
from terrasweep.results.wording import nearest

SECTIONS = tuple(field.name for field in dataclasses.fields(TrialConfig) if field.name != "outside")
"""The sections of terrasweep's own, like ``train``."""
NOT_TRAINED = ("trial", "study", "repeats", "probe", "reuse", "confirm", "tracking", "budget")
"""Sections that say who runs a trial, where, for how long, and what else a study does."""


def trial_config(config: DictConfig | dict[str, Any]) -> TrialConfig:
    """Turn a composed configuration, or a stored one, into a TrialConfig.

    Raises:
        InvalidConfig: A key is missing, unknown or of the wrong type.
    """
    schema = _schema()
    if unknown := sorted(str(key) for key in config if key not in schema):
        hint = "if it is a knob of another package, install that"
        if isinstance(config[unknown[0]], dict | DictConfig):
            hint += "; if a file of yours sets it, '# @package _global_' has to be its first line, and no BOM before it"
        raise InvalidConfig(f"{unknown[0]}: there is no such group; {nearest(unknown[0], map(str, schema))}; {hint}")
    try:
        sections: dict[str, Any] = OmegaConf.to_object(OmegaConf.merge(schema, config))  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise InvalidConfig(f"{error.full_key or 'configuration'}: {error.msg or error}".splitlines()[0]) from error
    except dataclasses.FrozenInstanceError as error:
        raise InvalidConfig("\n".join(_unknown_keys(OmegaConf.merge(schema, config))) or str(error)) from error
    outside = {knob.group: sections.pop(knob.group) for knob in outside_knobs()}
    try:
        sections["data"] = sections["data"].written_briefly()
    except ValueError as error:
        raise InvalidConfig(str(error)) from error
    return TrialConfig(**sections, outside=outside)


def stored_trial_config(stored: dict[str, Any]) -> TrialConfig:
    """The TrialConfig of a configuration that this version or an earlier one stored.

    Raises:
        InvalidConfig: As for :func:`trial_config`.
    """
    return trial_config(with_present_names(stored))


def _unknown_keys(node: Any, prefix: str = "") -> Iterator[str]:
    """One line per key that was added, as by ``+train.foo=1``, to a section that has no such key."""
    if not isinstance(node, DictConfig):
        return
    section = OmegaConf.get_type(node)
    known = [field.name for field in dataclasses.fields(section)] if dataclasses.is_dataclass(section) else None
    for key in map(str, node):
        if known is not None and key not in known:
            yield describe_renamed(prefix + key) or f"{prefix}{key}: there is no such key; {nearest(key, known)}"
        elif not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
            yield from _unknown_keys(node[key], f"{prefix}{key}.")


def composed_trial(composed: DictConfig) -> TrialConfig:
    """The TrialConfig of what Hydra composed, without its own part.

    Raises:
        InvalidConfig: As for :func:`trial_config`, and for :func:`check_composition`.
    """
    if "hydra" in composed:
        check_composition(composed.hydra)
    return trial_config(OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]))


def check_composition(hydra: Any) -> None:
    """Refuse what Hydra passes over without a word: a file that holds no keys, a group that is taken out.

    Args:
        hydra: Its own part of the composed configuration.

    Raises:
        InvalidConfig: With one line for each.
    """
    taken_out = [str(override).lstrip("~") for override in hydra.overrides.task if str(override).startswith("~")]
    groups = [group for group in (name.partition("=")[0] for name in taken_out) if group in _schema()]
    lines = [
        f"~{group}: a group can't be taken out; drop this, or choose another option by {group}=NAME" for group in groups
    ]
    if lines := [*lines, *find_lists(hydra)]:
        raise InvalidConfig("\n".join(lines))


def with_each_value(composed: DictConfig, key: str, values: Iterable[Any]) -> Iterator[TrialConfig]:
    """The configurations that follow from other values of one key, without composing each anew.

    Args:
        composed: What Hydra composed.
        key: One that is there, like ``train.lr``; no group.
        values: Its values.

    Raises:
        OmegaConfBaseException: A value is of the wrong type.
    """
    section, scratch, config = key.partition(".")[0], copy.deepcopy(composed), composed_trial(composed)
    for value in values:
        OmegaConf.update(scratch, key, value)
        changed: dict[str, Any] = {section: OmegaConf.to_object(scratch[section])}
        yield dataclasses.replace(config, **changed)


def compose(overrides: list[str]) -> TrialConfig:
    """Compose ``config.yaml`` with overrides as ``python sweep.py`` does, without running anything.

    Args:
        overrides: ``key=value`` as on the command line.

    Raises:
        HydraException, OmegaConfBaseException: Hydra refuses the overrides.
        InvalidConfig: A key is missing, unknown or of the wrong type, or a file can't be read.
    """
    startup.name_shipped_studies()
    register_schema()
    try:
        with initialize_config_module("terrasweep.conf"):
            composed = compose_with_hydra("config", overrides, return_hydra_config=True)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidConfig(describe_unreadable(error) or str(error)) from error
    # Names like the study's are taken from Hydra's own part.
    HydraConfig.instance().set_config(composed)
    return composed_trial(composed)


def as_dict(config: TrialConfig) -> dict[str, Any]:
    """The configuration as plain dicts, lists and scalars: knobs from outside stand beside terrasweep's own."""
    values = dataclasses.asdict(config)
    outside: dict[str, Any] = values.pop("outside")
    return values | outside


def public_dict(config: TrialConfig) -> dict[str, Any]:
    """The configuration as it may be stored and shared: passwords and tokens in its URLs are masked.

    Without who measures it and judges it, too: who runs it again is another one.
    """
    values: dict[str, Any] = masked_values(as_dict(config))
    del values["trial"]["attempt"], values["trial"]["judged"]
    return values


def fixed_settings(config: TrialConfig) -> dict[str, Any]:
    """What makes the trials of a study comparable, as dotted key to value; not who runs it, where, or for how long.

    Passwords and tokens are masked.
    """
    flat: dict[str, Any] = {}

    def walk(values: dict[str, Any], prefix: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict) and value:
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    values = public_dict(config)
    walk({key: section for key, section in values.items() if key not in NOT_TRAINED}, "")
    return flat


def register_schema() -> None:
    """Give Hydra the schema, as the config named ``schema``, the options of knobs from outside, and the help's text.

    Raises:
        InvalidConfig: A package declares a knob that can't be used.
    """
    defaults = [{knob.group: knob.options[0].name} for knob in outside_knobs()]
    named: list[tuple[str | None, str, Any]]
    named = [(None, "schema", _schema()), (None, "outside_knobs", {"defaults": defaults})]
    named += [(knob.group, option.name, _overridable(option)) for knob in outside_knobs() for option in knob.options]
    for group, name, node in named:
        ConfigStore.instance().store(group=group, name=name, node=node, provider="terrasweep", replace=True)
    OmegaConf.register_resolver("terrasweep_groups", help_text.groups, replace=True)


@cache
def _schema() -> DictConfig:
    """The schema as OmegaConf sees it, each section by its type, those of knobs from outside too.

    Made once: both Hydra and ``OmegaConf.merge`` copy it.
    """
    own = {field.name: field.default_factory for field in dataclasses.fields(TrialConfig) if field.name in SECTIONS}
    # A configuration that was stored before a package was installed lacks its knob.
    outside = {knob.group: knob.options[0] for knob in outside_knobs()}
    return OmegaConf.create({name: _overridable(section) for name, section in (own | outside).items()})


def _overridable(section: Any) -> DictConfig:
    """A dataclass as OmegaConf sees it, without the read-only flag of frozen ones, which would refuse overrides."""
    node: DictConfig = OmegaConf.structured(section)
    _clear_readonly(node)
    return node


def _clear_readonly(node: Any) -> None:
    OmegaConf.set_readonly(node, None)
    if isinstance(node, DictConfig) and OmegaConf.get_type(node) is dict:
        # Free keys, like a backbone's arguments: new ones need no `+` on the command line.
        OmegaConf.set_struct(node, False)
    for key in node if isinstance(node, DictConfig) else ():
        # A missing value has no node to ask for, and none below it.
        if not OmegaConf.is_missing(node, key) and isinstance(child := node[key], DictConfig):
            _clear_readonly(child)
