"""How TerraTorch alone reads what a trial reads, and what it can't be told. Imports no torch."""

from __future__ import annotations

from typing import Any

from terrasweep.config.input_frames import has_frames, input_frames, is_averaged, is_stacked
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.coordinates import given_coordinates
from terrasweep.results.errors import InvalidConfig

_SPLITS = ("train", "val", "test")
_AS_TENSOR: dict[str, Any] = {"class_path": "albumentations.pytorch.ToTensorV2", "init_args": {}}
_UNFLATTEN = "terratorch.datasets.transforms.UnflattenTemporalFromChannels"


def refuse_untold(config: TrialConfig) -> None:
    """See that a configuration of TerraTorch alone can give the model what the trial gives it.

    Raises:
        InvalidConfig: It can't average dates, or tell a folder's coordinates.
    """
    if config.data.datamodule is not None:
        return
    if is_averaged(config):
        raise InvalidConfig(
            "data.frames_for_one_date=mean: TerraTorch's datamodule can't average dates, so that there is no plain "
            "configuration of it; export a trial with data.frames_for_one_date=stack, or of a backbone of several dates"
        )
    if config.data.frames is not None and (told := given_coordinates(stored.read_listing(config), config)):
        raise InvalidConfig(
            f"backbone={config.backbone.name}: it was trained with each sample's {' and '.join(told)}, which "
            "TerraTorch's datamodule does not tell; export a trial with backbone.arguments.coords_encoding=[]"
        )


def plain_frames(arguments: dict[str, Any], config: TrialConfig) -> dict[str, Any]:
    """The arguments of TerraTorch's datamodule with the steps that a trial does itself: resampling, dates, statistics.

    Args:
        arguments: Those of :func:`terrasweep.data.open.folders.datamodule_arguments`, with statistics per band.
        config: The trial.
    """
    if is_stacked(config):
        repeated = {
            key: {name: values * config.data.frames_of(name) for name, values in arguments[key].items()}
            for key in ("means", "stds")
        }
        arguments = arguments | repeated
    steps = resampling_steps(config.data.resize_px)
    if has_frames(config) and input_frames(config) > 1:
        unflatten = {"class_path": _UNFLATTEN, "init_args": {"n_timesteps": config.data.frames}}
        steps = [*(steps or [_AS_TENSOR]), unflatten]
    return arguments | ({f"{split}_transform": steps for split in _SPLITS} if steps else {})


def resampling_steps(size: int | None) -> list[dict[str, Any]]:
    """Albumentations' steps that bring tiles to one size, as TerraTorch's configurations name them."""
    if size is None:
        return []
    return [{"class_path": "albumentations.Resize", "init_args": {"height": size, "width": size}}, _AS_TENSOR]
