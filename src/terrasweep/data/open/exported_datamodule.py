"""How TerraTorch alone reads what a trial reads, and what it can't be told. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from terrasweep.config.input_frames import has_frames, input_frames, is_averaged, is_stacked
from terrasweep.config.knobs.augment import LEFT_RIGHT, UP_DOWN, moves_of
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.data.find.coordinates import given_coordinates
from terrasweep.results.errors import InvalidConfig

_SPLITS = ("train", "val", "test")
_AS_TENSOR = "albumentations.pytorch.ToTensorV2"
_FLIPS = {LEFT_RIGHT: "albumentations.HorizontalFlip", UP_DOWN: "albumentations.VerticalFlip"}
_UNFLATTEN = "terratorch.datasets.transforms.UnflattenTemporalFromChannels"


def check_exportable_data(config: TrialConfig) -> None:
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


def refuse_dates_apart(config: TrialConfig, images: Any) -> None:
    """See that a datamodule of the user's gives no dates apart, where a trial makes one image of them by itself.

    Args:
        config: The trial.
        images: A batch as the datamodule's loader gives it: (B, C, H, W), (B, C, T, H, W), or a dict of such.

    Raises:
        InvalidConfig: TerraTorch alone would hand the dates to the model as they are.
    """
    if config.data.datamodule is None or not (is_averaged(config) or is_stacked(config)):
        return
    if any(pixels.ndim == 5 for pixels in (images.values() if isinstance(images, Mapping) else [images])):
        way, datamodule = config.data.frames_for_one_date, config.data.datamodule
        raise InvalidConfig(
            f"data.frames_for_one_date={way} with data.datamodule={datamodule}: "
            "it gives dates apart, and TerraTorch alone would hand them to the model so; have the datamodule make one "
            "image of them, and train again"
        )


def exported_arguments(arguments: dict[str, Any], config: TrialConfig) -> dict[str, Any]:
    """The arguments of TerraTorch's datamodule with what a trial does itself: resampling, symmetries, dates.

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
    by_split = {f"{split}_transform": _steps(config, split) for split in _SPLITS}
    return arguments | {argument: steps for argument, steps in by_split.items() if steps}


def augmentation_left_out(config: TrialConfig) -> str | None:
    """What a training by the configuration of TerraTorch alone lacks of ``augment``; None where it lacks nothing."""
    if config.data.datamodule is None or config.augment.name == "none":
        return None
    names = [step["class_path"] for step in _turning(config)]
    return (
        f"augment={config.augment.name}: {config.data.datamodule} has steps of its own, so that TerraTorch would train "
        f"without it; where that takes a train_transform, add {' and '.join(names)} to it"
    )


def _steps(config: TrialConfig, split: str) -> list[dict[str, Any]]:
    """Albumentations' steps for a split, as TerraTorch's configurations name them; none where its own will do."""
    size, dates = config.data.resize_px, has_frames(config) and input_frames(config) > 1
    before = [_step("albumentations.Resize", height=size, width=size)] if size is not None else []
    before += _turning(config) if split == "train" else []
    after = [_step(_UNFLATTEN, n_timesteps=config.data.frames)] if dates else []
    return [*before, _step(_AS_TENSOR), *after] if before or after else []


def _turning(config: TrialConfig) -> list[dict[str, Any]]:
    """The symmetries of ``augment``, all images and the mask of a sample under the same."""
    if config.augment.name == "d4":
        return [_step("albumentations.D4")]
    return [_step(_FLIPS[move], p=0.5) for move in moves_of(config.augment.name, square=True)]


def _step(path: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": path, "init_args": arguments}
