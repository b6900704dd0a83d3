"""Configurations of a study's trials: Hydra composes each choice of groups once, other values are set on a copy."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from terrasweep.config.compose import composed_trial
from terrasweep.config.schema import TrialConfig

MOST_KEPT = 64
"""Choices of groups whose configuration is kept; one takes some hundred KiB."""
_PLAIN = ("train", "quantization", "tuning", "checkpointing", "offload", "precision", "optimizer", "augment")
"""Sections that become their part of a TrialConfig as they are."""


class Composer:
    """Composes what ``python sweep.py`` would, from a study's fixed overrides and a trial's own.

    Hydra takes 0.1 to 0.3 s for one. It applies the overrides of values last, in their order and by
    ``OmegaConf.update``: the same is done here, on a copy of what it composed for the groups.
    """

    def __init__(self, loader: ConfigLoader, config: DictConfig, fixed: Sequence[str]) -> None:
        """Args: ``loader`` and ``config`` are those that Hydra gives a sweeper."""
        self._loader, self._config = loader, config
        self._fixed = ("trial.number=0", *fixed)
        self._with_groups = lru_cache(maxsize=MOST_KEPT)(self._composed_by_hydra)
        self._trial_with_groups = lru_cache(maxsize=MOST_KEPT)(self._trial_of_groups)
        self._sections: dict[tuple[str, ...], Any] = {}

    @property
    def base(self) -> DictConfig:
        """What is fixed, with the defaults of what is searched."""
        return self._with_groups(())

    def compose(self, searched: Sequence[str]) -> DictConfig:
        """The configuration of a trial, not to be changed; Hydra's own part is that of the groups.

        Args:
            searched: The overrides that a trial adds to the fixed ones.

        Raises:
            HydraException, OmegaConfBaseException: Hydra refuses them.
        """
        groups, values = self._parted(searched)
        composed = self._with_groups(groups)
        if not values:
            return composed
        composed = copy.deepcopy(composed)
        try:
            for override in values:
                OmegaConf.update(composed, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            return self._composed_by_hydra(tuple(searched))  # It says what is wrong.
        return composed

    def compose_trial(self, searched: Sequence[str]) -> TrialConfig:
        """The TrialConfig of :meth:`compose`; of many trials that differ in values, each section is read once.

        Args:
            searched: The overrides that a trial adds to the fixed ones.

        Raises:
            HydraException, OmegaConfBaseException: Hydra refuses them.
            InvalidConfig: A key is missing, unknown or of the wrong type.
        """
        groups, values = self._parted(searched)
        by_section: dict[str, list[str]] = {}
        for override in values:
            by_section.setdefault(override.key_or_group.partition(".")[0], []).append(str(override.input_line))
        config, asked_for = self._trial_with_groups(groups)
        if not all(section in _PLAIN and section not in asked_for for section in by_section):
            return composed_trial(self.compose(searched))
        return dataclasses.replace(
            config, **{name: self._section(groups, config, name, texts) for name, texts in by_section.items()}
        )

    def _trial_of_groups(self, groups: tuple[str, ...]) -> tuple[TrialConfig, frozenset[str]]:
        """The configuration of a choice of groups, and the sections that others take values from."""
        composed = self._with_groups(groups)
        own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
        return composed_trial(composed), frozenset(re.findall(r"\$\{(\w+)\.", OmegaConf.to_yaml(own)))

    def _section(self, groups: tuple[str, ...], config: TrialConfig, name: str, values: list[str]) -> Any:
        """A section of a TrialConfig with other values; it follows from what it was, whatever the groups are."""
        key = (name, repr(getattr(config, name)), *values)
        if key not in self._sections:
            self._sections[key] = getattr(composed_trial(self.compose([*groups, *values])), name)
        return self._sections[key]

    def _parted(self, searched: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """Overrides of groups, and those of values."""
        groups: list[str] = []
        values: list[Override] = []
        for text, override in zip(searched, OverridesParser.create().parse_overrides(list(searched)), strict=True):
            if self._sets_a_value(override):
                values.append(override)
            else:
                groups.append(text)
        return tuple(groups), values

    def _sets_a_value(self, override: Override) -> bool:
        """Whether an override changes a value, in a section that is there; a group's changes what is composed."""
        section, dot, _ = override.key_or_group.partition(".")
        changes = override.type is OverrideType.CHANGE and override.package is None
        known = section in self.base and section != "hydra"
        return changes and bool(dot) and known and override.key_or_group not in self.base.hydra.runtime.choices

    def _composed_by_hydra(self, searched: tuple[str, ...]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._config, [*self._fixed, *searched])
        return composed
