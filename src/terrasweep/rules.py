"""Refuses configurations that can't be run; all violations are reported at once.

A violation is one line: the field and its value, the reason, the way out. Nothing here imports torch, so that the
parent process can refuse a configuration within a second. Values that are wrong on their own are in
:mod:`terrasweep.values`, knobs that exclude each other in :mod:`terrasweep.exclusions`.
"""

from __future__ import annotations

from collections.abc import Iterator

from terrasweep.build.deepspeed_config import find_conflicts
from terrasweep.config import TrialConfig
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
    yield from find_conflicts(config, files=files)
    yield from _data(config)


def _data(config: TrialConfig) -> Iterator[str]:
    data, task, decoder, backbone = config.data, config.task, config.decoder, config.backbone
    if task.name not in decoder.tasks:
        yield f"decoder={decoder.name} with task={task.name}: it serves {', '.join(decoder.tasks)}; use another one"
    if task.name not in data.tasks:
        yield f"data={data.name} with task={task.name}: it serves {', '.join(data.tasks)}; use another of the two"
    if data.bands != backbone.bands:
        yield (
            f"data.bands={data.bands} with backbone.bands={backbone.bands}: the input layer differs from the data; "
            "set backbone.bands=${data.bands}, or correct data.bands"
        )
    for key, values in {"data.means": data.means, "data.stds": data.stds}.items():
        if values is not None and len(values) != len(data.bands):
            yield f"{key} has {len(values)} values for {len(data.bands)} bands; give one per band, or null"
    if (data.means is None) != (data.stds is None):
        yield "data.means and data.stds: one is given, the other null; give both or neither"
    if data.stds is not None and any(not std > 0 for std in data.stds):
        yield f"data.stds={data.stds}: a standard deviation must be above 0"
