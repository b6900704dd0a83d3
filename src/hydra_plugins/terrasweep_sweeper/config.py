"""The sweeper's settings, in Hydra's ConfigStore."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra_plugins.hydra_optuna_sweeper.config import TPESamplerConfig
from omegaconf import MISSING


@dataclass
class GroupedTPEConfig(TPESamplerConfig):
    """Multivariate TPE that samples conditional keys jointly (Watanabe 2023; Optuna's ``group=True``)."""

    multivariate: bool = True
    group: bool = True
    constant_liar: bool = True
    n_startup_trials: Any = None
    """null: a quarter of ``study.n_trials``, at least 4."""
    warn_independent_sampling: bool | None = False


@dataclass
class FactoredConfig:
    """One training for all trials that share what bears on their accuracy, the others probed; docs/search.md."""

    _target_: str = "terrasweep.study.factored.sampler.FactoredSampler"
    _partial_: bool = True
    """The study says what is searched."""
    seed: int | None = None
    """null: ``study.seed``."""
    startup_trials: int | None = None
    """Trials that fill the space before models count; null: two more than searched keys that bear on the accuracy."""
    candidates: int = 1500
    """How many are looked at for each proposal."""


@dataclass
class TerrasweepSweeperConf:
    """What ``hydra.sweeper.*`` can set; the study's own settings are below ``study``."""

    _target_: str = "hydra_plugins.terrasweep_sweeper.terrasweep_sweeper.TerrasweepSweeper"
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "factored"}, {"pruner": "none"}])
    sampler: Any = MISSING
    pruner: Any = MISSING
    """Which trainings of a study with one objective end early. See docs/ending-early.md."""
    n_jobs: int | None = None
    """Trials per batch; null: as many as the launcher's recipe says, else one."""
    params: dict[str, str] = field(default_factory=dict)
    """The search space: key to range, with conditions. See docs/search-spaces.md."""


ConfigStore.instance().store(
    group="hydra/sweeper", name="terrasweep", node=TerrasweepSweeperConf, provider="terrasweep_sweeper"
)
ConfigStore.instance().store(
    group="hydra/sweeper/sampler", name="grouped_tpe", node=GroupedTPEConfig, provider="terrasweep_sweeper"
)
ConfigStore.instance().store(
    group="hydra/sweeper/sampler", name="factored", node=FactoredConfig, provider="terrasweep_sweeper"
)
