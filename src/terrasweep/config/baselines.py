"""``study.baselines``: configurations that are measured before the search, as they are given in a configuration.

::

    study.baselines: default                                 full tuning, and LoRA as it is mostly used
    study.baselines: none                                    none
    study.baselines: {wide: {tuning: lora, tuning.rank: 64}} a name each, with the keys and groups that it sets
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from terrasweep.config.knobs.checkpointing import CheckpointingConfig
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.config.knobs.tuning import TuningConfig

DEFAULT = "default"
NONE = "none"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEY = re.compile(r"\+{0,2}[\w@/]+(\.[\w@]+)*")
_NOT_A_TRIAL_S = ("hydra", "study", "trial", "tracking", "repeats", "confirm", "sweeps", "search_spaces")
"""Groups that say nothing of what is trained."""
_WAY_OUT = "use default, none, or names with what each sets, like {wide: {tuning: lora, tuning.rank: 64}}"

_PLAIN = (QuantizationConfig(name="none"), CheckpointingConfig(name="none"), OffloadConfig(name="none"))
_TUNINGS = {
    "full": TuningConfig(name="full"),
    "lora": TuningConfig(name="lora", rank=16, targets="attention_mlp"),
}
"""The plainest of all, and what the field mostly does (Hu et al. 2021)."""
_TENTH = {"train.backbone_lr_ratio": 0.1}
_GROUP_OF = {TuningConfig: "tuning", QuantizationConfig: "quantization"} | {
    CheckpointingConfig: "checkpointing",
    OffloadConfig: "offload",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GivenBaseline:
    """A baseline as it was asked for."""

    name: str
    """Of its folder, too."""
    settings: Mapping[str, Any]
    """The keys and groups that it is known by."""
    overrides: Mapping[str, Any]
    """All that it sets, in order: of the default ones every setting of the knobs that they choose."""


def is_default(given: Any) -> bool:
    """Whether nobody chose the baselines: what does not go with a study is left out then."""
    return bool(given == DEFAULT)


def given_baselines(given: Any, *, lr_for_adapters: bool = False) -> list[GivenBaseline]:
    """The baselines that :func:`find_bad_baselines` has nothing against, in their order.

    Args:
        given: ``study.baselines``.
        lr_for_adapters: Whether the study's learning rate is one for adapters, decoder and head. Full tuning, by
            default, takes a tenth of it for what is pretrained (Schulman et al. 2025, "LoRA Without Regret").
    """
    if is_default(given):
        rate = _TENTH if lr_for_adapters else {}
        return [_with_plain_knobs(name, tuning, rate if name == "full" else {}) for name, tuning in _TUNINGS.items()]
    named: Mapping[str, Mapping[str, Any]] = given if isinstance(given, Mapping) else {}
    return [GivenBaseline(name=str(name), settings=own, overrides=own) for name, own in named.items()]


def find_bad_baselines(given: Any) -> Iterator[str]:
    """One line per mistake in the value of ``study.baselines`` that can be seen without composing anything."""
    if given in (None, DEFAULT, NONE, [], {}):
        return
    if not isinstance(given, Mapping):
        yield f"study.baselines={given}: it names no configuration; {_WAY_OUT}"
        return
    for name, settings in given.items():
        if not _NAME.fullmatch(str(name)):
            yield (
                f"study.baselines: {name!r}: it names a folder; use letters, digits, '.', '_' and '-', starting with a "
                "letter or digit"
            )
        if not isinstance(settings, Mapping) or not settings:
            yield f"study.baselines: {name}={settings}: it sets nothing; {_WAY_OUT}"
            continue
        for key in map(str, settings):
            if not _KEY.fullmatch(key):
                yield f"study.baselines: {name}: {key!r}: it is no key; write KEY: VALUE, like tuning.rank: 64"
            elif re.split(r"[./@]", key.lstrip("+"))[0] in _NOT_A_TRIAL_S:
                yield f"study.baselines: {name}: {key}: it is the study's, not a training's; set it for the study"


def _with_plain_knobs(name: str, tuning: TuningConfig, more: Mapping[str, Any]) -> GivenBaseline:
    """Nothing that a study sets of these knobs stays: a rank of the study's is not that of full tuning."""
    knobs = (tuning, *_PLAIN)
    groups = {_GROUP_OF[type(knob)]: knob.name for knob in knobs}
    own: dict[str, Any] = {"tuning.rank": tuning.rank, "tuning.targets": tuning.targets} if name == "lora" else {}
    everything = {
        f"{_GROUP_OF[type(knob)]}.{field.name}": getattr(knob, field.name)
        for knob in knobs
        for field in dataclasses.fields(knob)
        if field.name != "name"
    }
    return GivenBaseline(name=name, settings={**groups, **own, **more}, overrides={**groups, **everything, **more})
