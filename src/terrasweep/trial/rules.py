"""Refuses configurations that can't be run; all violations are reported at once.

A violation is one line: the field and its value, the reason, the way out. Nothing here imports torch, so that the
parent process can refuse a configuration within a second. What a knob refuses stands with it in
:mod:`terrasweep.config.knobs`; other values that are wrong on their own are in
:mod:`terrasweep.config.allowed_values`, what is wrong about data in :mod:`terrasweep.data.rules`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from terrasweep.config import allowed_values
from terrasweep.config.outside_knobs import every_knob
from terrasweep.config.schema import TrialConfig
from terrasweep.config.validation_metrics import find_unknown_objectives
from terrasweep.data import rules as data_rules
from terrasweep.machine.hardware import effective_device
from terrasweep.models.backbones import conflicts
from terrasweep.models.offload import deepspeed_settings
from terrasweep.results.errors import InvalidConfig

_ABOUT_MODELS = ("backbone", "neck", "decoder")
_ABOUT_DATA = ("data", "task", "train.batch_size")
"""Sections and keys that the rules about backbones and about data read."""


def check(config: TrialConfig) -> None:
    """Refuse a configuration that can't be run on this machine.

    Raises:
        InvalidConfig: With one line per violation.
    """
    if violations := [*find_missing_device(config), *find_violations(config)]:
        raise InvalidConfig("\n".join(violations))


def find_missing_device(config: TrialConfig) -> Iterator[str]:
    """The GPU that is asked for where this machine has none; it says nothing of trials that run on others."""
    if config.train.device == "cuda" and effective_device("auto") == "cpu":
        yield "train.device=cuda: NVML shows no GPU that a trial may use on this machine; use auto or cpu"


def find_violations(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """All violations of a configuration, bad values first.

    Args:
        config: To look at.
        files: Whether what it needs on this machine has to be there: files, folders, a compiler.
    """
    yield from find_bad_values(config, files=files)
    exclusions = (exclusion for knob in every_knob() for exclusion in knob.exclusions)
    yield from (exclusion.line(config) for exclusion in exclusions if exclusion.violated(config))
    yield from deepspeed_settings.find_conflicts(config, files=files)
    yield from conflicts.find_conflicts(config)
    yield from data_rules.find_conflicts(config)


def find_lasting(config: TrialConfig, searched: Collection[str]) -> Iterator[str]:
    """Contradictions that no value of the searched keys can end.

    Args:
        config: With any allowed value for each searched key.
        searched: Keys and groups that vary from trial to trial, like ``tuning`` and ``tuning.rank``.
    """
    for exclusion in (exclusion for knob in every_knob() for exclusion in knob.exclusions):
        if exclusion.violated(config) and not any(_varies(key, searched) for key, _ in exclusion.knobs):
            yield exclusion.line(config)
    if not _is_searched((*_ABOUT_MODELS, *_ABOUT_DATA), searched):
        yield from data_rules.find_conflicts(config)
    if not _is_searched((*_ABOUT_MODELS, "data"), searched):
        yield from conflicts.find_conflicts(config)


def _is_searched(read: Collection[str], searched: Collection[str]) -> bool:
    """Whether something that is read varies: a section with any of its keys, or a key by itself."""
    return any(name == key or name.startswith(f"{key}.") for name in searched for key in read)


def _varies(key: str, searched: Collection[str]) -> bool:
    key = "train.device" if key == "device" else key
    group = key.partition(".")[0]
    return bool({key, key.removesuffix(".name"), group} & set(searched))


def find_bad_values(config: TrialConfig, *, files: bool = True) -> Iterator[str]:
    """One line per value that is wrong whatever the others are; what names a file too, unless ``files=False``."""
    yield from allowed_values.find_bad_values(config, files=files)
    for knob in every_knob():
        yield from knob.find_bad_values(config.settings(knob.group))
        if files:
            yield from knob.find_absent_files(config.settings(knob.group))
    yield from find_unknown_objectives(config, data_rules.known_classes(config))
    yield from data_rules.find_bad_values(config, files=files)
