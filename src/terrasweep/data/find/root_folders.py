"""Where the samples of a configuration lie. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.synthetic import SyntheticScenes, synthetic_folder
from terrasweep.machine.paths import absolute, cache_folder


def scenes(config: TrialConfig) -> SyntheticScenes:
    """The synthetic data set of a configuration."""
    sizes = config.data.synthetic
    return SyntheticScenes(
        domain=sizes.domain,
        seed=sizes.seed,
        tile_px=config.data.tile_px or 64,
        train=sizes.train,
        val=sizes.val,
        test=sizes.test,
    )


def synthetic_root() -> Path:
    """The folder of all synthetic data sets."""
    return cache_folder() / "synthetic"


def tiles_folder(config: TrialConfig) -> Path:
    """Where the tiles of a configuration lie."""
    if config.data.name == "synthetic":
        return synthetic_folder(synthetic_root(), scenes(config))
    return absolute(config.data.root or "")


def list_folder(root: Path) -> Path:
    """Where lists and tables of a data set lie that are no paths of their own: its root, or the folder of that file."""
    return root.parent if root.is_file() else root


def samples_root(config: TrialConfig) -> Path:
    """The folder whose layout is that of ``data.root``: of synthetic tiles, the one for the task."""
    root = tiles_folder(config)
    sorted_by_class = config.data.name == "synthetic" and config.task.name == "classification"
    return root / "scenes" if sorted_by_class else root


def vector_file(config: TrialConfig) -> Path | None:
    """The file of polygons, below the data's folder or at a path of its own; None where none is named."""
    name = config.data.label_settings.vector
    if name is None:
        return None
    below = list_folder(tiles_folder(config)) / name
    return below if below.is_file() else absolute(name)
