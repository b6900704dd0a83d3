"""Refuses configurations that can't be run; all violations are reported at once.

A violation is one line: the field and its value, the reason, the way out. Nothing here imports torch, so that the
parent process can refuse a configuration within a second. Values that are wrong on their own are in
:mod:`terrasweep.values`, knobs that exclude each other in :mod:`terrasweep.exclusions`.
"""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.build import deepspeed_config, families
from terrasweep.config import TrialConfig
from terrasweep.data.config import DataConfig, ModalityConfig
from terrasweep.errors import InvalidConfig
from terrasweep.exclusions import EXCLUSIONS
from terrasweep.values import find_bad_values


def check(config: TrialConfig) -> None:
    """Refuse a configuration that can't be run.

    Raises:
        InvalidConfig: With one line per violation.
    """
    if violations := list(find_violations(config)):
        raise InvalidConfig("\n".join(violations))


def find_violations(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """All violations of a configuration, bad values first.

    Args:
        config: To look at.
        files: Whether what it needs on this machine has to be there: files, folders, a compiler.
    """
    yield from find_bad_values(config, files=files)
    yield from (exclusion.line(config) for exclusion in EXCLUSIONS if exclusion.violated(config))
    yield from deepspeed_config.find_conflicts(config, files=files)
    yield from families.find_conflicts(config)
    yield from _data(config)


def _data(config: TrialConfig) -> Iterator[str]:
    data, task, decoder, backbone = config.data, config.task, config.decoder, config.backbone
    if task.name not in decoder.tasks:
        yield f"decoder={decoder.name} with task={task.name}: it serves {', '.join(decoder.tasks)}; use another one"
    if task.name not in data.tasks:
        yield f"data={data.name} with task={task.name}: it serves {', '.join(data.tasks)}; use another of the two"
    if backbone.bands and data.bands and len(data.bands) != len(backbone.bands):
        yield (
            f"data.bands={data.bands} with backbone.bands={backbone.bands}: the input layer differs from the data; "
            "give each band one name of the backbone, or drop backbone.bands"
        )
    if data.datamodule is not None and (data.means is not None or data.cut or data.resize_px or data.modalities):
        key = "means" if data.means else "cut" if data.cut else "resize_px" if data.resize_px else "modalities"
        yield f"data.{key} with data={data.name}: its datamodule does that itself; drop it, or use data.arguments"
    for name, modality in data.modalities.items():
        yield from _statistics(f"data.modalities.{name}.", modality)
    yield from _statistics("data.", data)


def _statistics(prefix: str, image: DataConfig | ModalityConfig) -> Iterator[str]:
    for key, values in {"means": image.means, "stds": image.stds}.items():
        if values is not None and image.bands and len(values) != len(image.bands):
            yield f"{prefix}{key} has {len(values)} values for {len(image.bands)} bands; give one per band, or null"
    if (image.means is None) != (image.stds is None):
        yield f"{prefix}means and {prefix}stds: one is given, the other null; give both or neither"
    if image.stds is not None and any(not std > 0 for std in image.stds):
        yield f"{prefix}stds={image.stds}: a standard deviation must be above 0"
