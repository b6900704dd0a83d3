"""Configurations of a study's trials: Hydra composes each choice of groups once, other values are set on a copy."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

MOST_KEPT = 64
"""Choices of groups whose configuration is kept; one takes some hundred KiB."""


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
        values: list[Override] = []
        groups: list[str] = []
        for text, override in zip(searched, OverridesParser.create().parse_overrides(list(searched)), strict=True):
            if self._sets_a_value(override):
                values.append(override)
            else:
                groups.append(text)
        composed = self._with_groups(tuple(groups))
        if not values:
            return composed
        composed = copy.deepcopy(composed)
        try:
            for override in values:
                OmegaConf.update(composed, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            return self._composed_by_hydra(tuple(searched))  # It says what is wrong.
        return composed

    def _sets_a_value(self, override: Override) -> bool:
        """Whether an override changes a value, in a section that is there; a group's changes what is composed."""
        section, dot, _ = override.key_or_group.partition(".")
        changes = override.type is OverrideType.CHANGE and override.package is None
        known = section in self.base and section != "hydra"
        return changes and bool(dot) and known and override.key_or_group not in self.base.hydra.runtime.choices

    def _composed_by_hydra(self, searched: tuple[str, ...]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._config, [*self._fixed, *searched])
        return composed
