"""The configurations that a study's search space offers, without a study: those that differ in what is asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from optuna.distributions import BaseDistribution

from terrasweep.config.compose import composed_trial, register_schema
from terrasweep.config.schema import TrialConfig
from terrasweep.machine import startup
from terrasweep.results.errors import InvalidConfig
from terrasweep.study.composer import Composer
from terrasweep.study.distinct_models import assignments, ends, with_ancestors
from terrasweep.study.ranges import grid_values
from terrasweep.study.search_space import SearchSpace, parse_space

MOST_CONFIGURATIONS = 20_000
"""How many are listed."""
_MOST_OF_A_RANGE = 8
"""Values of a range that are taken one by one; of a longer one, its ends."""

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class WholeSpace:
    """What a space offers."""

    base: TrialConfig
    """What is fixed, with the defaults of what is searched."""
    configurations: list[tuple[Values, TrialConfig]]
    """Values of the searched keys that are asked for, and what they make."""
    left_out: list[str] = field(default_factory=list)
    """Searched keys that are not asked for: they have the values of the base."""
    only_ends: list[str] = field(default_factory=list)
    """Keys of which the ends of their range alone are taken."""


def names_a_space(overrides: Sequence[str]) -> bool:
    """Whether overrides choose a sweep or a search space, or search a key themselves.

    Raises:
        HydraException: One of them can't be read.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return any(o.is_sweep_override() or o.get_key_element() in ("sweeps", "search_spaces") for o in parsed)


def without_search(overrides: Sequence[str]) -> list[str]:
    """The overrides that fix something; those that search a key are left out."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [str(override.input_line) for override in parsed if not override.is_sweep_override()]


def whole_space(
    overrides: Sequence[str], wanted: Callable[[str], bool], params: Mapping[str, str] | None = None
) -> WholeSpace:
    """Every configuration of a space that differs in a key that is asked for.

    Args:
        overrides: As on ``sweep.py``'s command line after ``-m``.
        wanted: Says of a searched key whether it is asked for.
        params: Key to range, instead of those of the search space that the overrides choose.

    Raises:
        HydraException, OmegaConfBaseException: Hydra refuses an override or a value.
        InvalidConfig: A range can't be read, or there are too many configurations.
    """
    with _composer(overrides, params) as (space, composer):
        keys = [key for key in space.keys if wanted(key.name)]
        chosen = with_ancestors(space, keys)
        found = list(itertools.islice(assignments(chosen, composer.base, values_of=_values), MOST_CONFIGURATIONS + 1))
        if len(found) > MOST_CONFIGURATIONS:
            raise InvalidConfig(
                f"search space: it has more than {MOST_CONFIGURATIONS:,} configurations that differ in "
                f"{', '.join(key.name for key in keys)}; fix one of them by KEY=VALUE"
            )
        return WholeSpace(
            base=composed_trial(composer.base),
            configurations=[(values, composer.compose_trial(space.overrides(values))) for values in found],
            left_out=[key.name for key in space.keys if key not in chosen],
            only_ends=[key.name for key in chosen if not _is_listed(key.distribution)],
        )


@contextmanager
def _composer(overrides: Sequence[str], params: Mapping[str, str] | None) -> Iterator[tuple[SearchSpace, Composer]]:
    """The space, and what composes its configurations, as Hydra gives a sweeper both."""
    startup.name_shipped_studies()
    register_schema()
    with initialize_config_module("terrasweep.conf"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(overrides), run_mode=RunMode.MULTIRUN)
        HydraConfig.instance().set_config(config)  # Names like the study's are taken from Hydra's own part.
        space = parse_space(params or config.hydra.sweeper.params or {}, list(overrides))
        yield space, Composer(loader, config, space.fixed)


def _values(distribution: BaseDistribution) -> list[Any]:
    return grid_values(distribution) if _is_listed(distribution) else ends(distribution)


def _is_listed(distribution: BaseDistribution) -> bool:
    try:
        values = grid_values(distribution)
    except ValueError:
        return False
    return len(values) <= _MOST_OF_A_RANGE or distribution.__class__.__name__ == "CategoricalDistribution"
