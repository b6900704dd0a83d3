"""From Hydra's composed configuration to a TrialConfig, and from there to plain values that can be stored."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config import TrialConfig
from terrasweep.errors import InvalidConfig


def trial_config(config: DictConfig | dict[str, Any]) -> TrialConfig:
    """Turn a composed configuration, or a stored one, into a TrialConfig.

    Raises:
        InvalidConfig: A key is missing, unknown or of the wrong type.
    """
    try:
        typed = OmegaConf.to_object(OmegaConf.merge(_schema(), config))
    except OmegaConfBaseException as error:
        raise InvalidConfig(f"{error.full_key or 'configuration'}: {error.msg or error}".splitlines()[0]) from error
    assert isinstance(typed, TrialConfig)
    return typed


def as_dict(config: TrialConfig) -> dict[str, Any]:
    """The configuration as plain dicts, lists and scalars."""
    return dataclasses.asdict(config)


def public_dict(config: TrialConfig) -> dict[str, Any]:
    """The configuration as it may be stored and shared: without the passwords in its URLs."""
    values = as_dict(config)
    for section, key in (("study", "storage"), ("tracking", "uri")):
        if values[section][key]:
            values[section][key] = without_password(values[section][key])
    return values


def fixed_settings(config: TrialConfig) -> dict[str, Any]:
    """What makes the trials of a study comparable, as dotted key to value; not who runs it, where, or for how long."""
    flat: dict[str, Any] = {}

    def walk(values: dict[str, Any], prefix: str) -> None:
        for key, value in values.items():
            if isinstance(value, dict) and value:
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    values = as_dict(config)
    walk({key: section for key, section in values.items() if key not in ("trial", "study", "tracking", "budget")}, "")
    return flat


def without_password(url: str) -> str:
    """A storage or tracking URL that may be shown to others."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", url)


def register_schema() -> None:
    """Give Hydra the schema, as the config named ``schema``."""
    ConfigStore.instance().store(name="schema", node=_schema(), provider="terrasweep")


def _schema() -> DictConfig:
    """The schema as OmegaConf sees it, without the read-only flag of frozen classes, which would refuse overrides."""
    schema: DictConfig = OmegaConf.structured(TrialConfig)
    _clear_readonly(schema)
    return schema


def _clear_readonly(node: Any) -> None:
    OmegaConf.set_readonly(node, None)
    for key in node if isinstance(node, DictConfig) else ():
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none():
            _clear_readonly(child)
