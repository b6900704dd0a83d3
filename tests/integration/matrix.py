"""The cross product of all knobs, as configurations that were composed option by option."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator

from terrasweep.config.schema import TrialConfig
from terrasweep.trial import rules
from tests.composing import compose_trial
from tests.trials import TINY

FOUR_BLOCKS = "backbone.arguments={depth:4} backbone.out_indices=[0,1,2,3]"
BACKBONES = (
    "prithvi_eo_tiny",
    f"prithvi_eo_v2_tiny_tl {FOUR_BLOCKS}",
    "terramind_v1_tiny",  # TerraMind's depth is not to be chosen.
    f"timm_vit_tiny_patch16_224 {FOUR_BLOCKS}",
)
"""One of each kind; what is done to twelve blocks is done to four."""

STARTS = ("pissa", "loftq", "eva")

AXES: dict[str, tuple[str, ...]] = {
    "backbone": tuple(f"backbone={name}" for name in BACKBONES),
    "quantization": (
        *(f"quantization={name}" for name in ("none", "int8", "fp4", "nf4", "nf4_double")),
        "quantization=nf4 quantization.skip=auto quantization.skip_count=2",
    ),
    "tuning": (
        "tuning=full",
        "tuning=frozen",
        *(f"tuning=lora tuning.targets={preset}" for preset in ("qv", "attention", "mlp", "attention_mlp")),
        "tuning=lora tuning.targets=qv tuning.use_dora=true",
        "tuning=lora tuning.targets=attention tuning.use_rslora=true",
        "tuning=frozen tuning.frozen_dtype=bf16",
        "tuning=lora tuning.targets=qv tuning.use_dora=true tuning.frozen_dtype=bf16",
        "tuning=lora tuning.targets=attention_mlp tuning.frozen_dtype=bf16 tuning.unfreeze_last=1",
        *(f"tuning=lora tuning.targets=[attn.proj] tuning.initialisation={start}" for start in STARTS),
    ),
    "checkpointing": ("checkpointing=none", "checkpointing=blocks", "checkpointing=every_n"),
    "offload": (
        *(f"offload={name}" for name in ("none", "activations", "optimizer", "parameters")),
        f"offload=nvme offload.nvme_path={tempfile.gettempdir()}",
    ),
    "precision": tuple(f"precision={name}" for name in ("fp32", "bf16", "fp16")),
    "optimizer": tuple(f"optimizer={name}" for name in ("adamw", "adamw8bit", "paged_adamw8bit")),
}
"""Knob to its values as overrides; the groups are independent, so each is composed once."""

RECIPES: dict[str, tuple[str, ...]] = {
    "accumulate": ("train.accumulate=1", "train.accumulate=2"),
    "schedule": (
        *(f"schedule={name}" for name in ("constant", "cosine", "linear")),
        "schedule=plateau train.validate_every=1",
    ),
    "augment": tuple(f"augment={name}" for name in ("none", "flips", "d4")),
}
"""What no rule keeps from any knob, and is therefore no dimension of the product: the trained sample has it."""

Combination = tuple[str, ...]
Recipe = tuple[str, ...]


def combinations() -> list[Combination]:
    return list(itertools.product(*AXES.values()))


class Composer:
    """Puts the sections of separately composed options together: a thousand times faster than composing each."""

    def __init__(self) -> None:
        self._bases = {recipe: _composed(*recipe) for recipe in [(), *itertools.product(*RECIPES.values())]}
        self._recipes: dict[Combination, Recipe] = {}
        self._sections = {
            option: getattr(_composed(option), axis) for axis, options in AXES.items() for option in options
        }

    def config(self, combination: Combination) -> TrialConfig:
        sections = {axis: self._sections[option] for axis, option in zip(AXES, combination, strict=True)}
        return dataclasses.replace(self._bases[self._recipes.get(_learned(combination), ())], **sections)

    def with_recipes(self, recipes: dict[Combination, Recipe]) -> Composer:
        """One that gives each combination the recipe of what it learns."""
        other = copy.copy(self)
        other._recipes = recipes
        return other


def _composed(*options: str) -> TrialConfig:
    base = ("train.device=cpu", "backbone=prithvi_eo_tiny")
    return compose_trial(*TINY, *base, *(override for option in options for override in option.split()))


def violations(config: TrialConfig) -> list[str]:
    return list(rules.find_violations(config))


def covering(allowed: list[Combination], seed: int = 0) -> list[Combination]:
    """Combinations in which every pair of values that is allowed together occurs: greedy, from random candidates."""
    missing = {pair for combination in allowed for pair in pairs(combination)}
    chosen = []
    rng = random.Random(seed)
    while missing:
        candidates = rng.sample(allowed, min(200, len(allowed)))
        wanted = next(iter(sorted(missing)))
        candidates.append(next(c for c in allowed if set(wanted) <= set(c)))
        best = max(candidates, key=lambda c: len(missing & set(pairs(c))))
        chosen.append(best)
        missing -= set(pairs(best))
    return chosen


def assign_recipes(sample: list[Combination]) -> tuple[dict[Combination, Recipe], set[tuple[str, str]]]:
    """A recipe for whatever a sample learns, so that every value of a recipe occurs with every other value: greedy.

    What learns the same has the same recipe, and is the same training. Returns the pairs that occur nowhere, too.
    """
    values = [value for options in RECIPES.values() for value in options]
    every = list(itertools.product(*RECIPES.values()))
    missing = {(option, value) for combination in sample for option in combination for value in values}
    missing |= {pair for recipe in every for pair in pairs(recipe)}
    recipes: dict[Combination, Recipe] = {}
    for combination in sample:
        among = [recipes[_learned(combination)]] if _learned(combination) in recipes else every
        found = {recipe: {*itertools.product(combination, recipe), *pairs(recipe)} for recipe in among}
        gains = {recipe: len(missing & found[recipe]) for recipe in among}
        best = max(gains, key=gains.__getitem__)
        recipes[_learned(combination)] = best
        missing -= found[best]
    return recipes, missing


def counterparts(sample: list[Combination], allowed: list[Combination], seed: int = 0) -> list[Combination]:
    """Further combinations that learn what one of the sample learns: one or two for each value of the quantization.

    The first differs in the checkpointing, the second, for every other value that has one, by DeepSpeed's offload.
    """
    same: dict[Combination, list[Combination]] = defaultdict(list)
    for combination in allowed:
        same[_learned(combination)].append(combination)
    rng = random.Random(seed)
    chosen: list[Combination] = []
    for number, value in enumerate(AXES["quantization"]):
        both = [(one, other) for one in sample if value in one and not _zero(one) for other in same[_learned(one)]]
        exact = [b for a, b in both if a[_CHECKPOINTING] != b[_CHECKPOINTING] and not _zero(b)]
        near = [b for _, b in both if _zero(b) and "nvme" not in b[_OFFLOAD]] if number % 2 == 0 else []
        chosen += [rng.choice(options) for options in (exact, near) if options]
    return [combination for combination in chosen if combination not in sample]


_CHECKPOINTING, _OFFLOAD = (list(AXES).index(axis) for axis in ("checkpointing", "offload"))


def _learned(combination: Combination) -> Combination:
    return tuple(o for place, o in enumerate(combination) if place not in (_CHECKPOINTING, _OFFLOAD))


def _zero(combination: Combination) -> bool:
    return combination[_OFFLOAD] not in ("offload=none", "offload=activations")


def pairs(combination: Combination) -> Iterator[tuple[str, str]]:
    return itertools.combinations(combination, 2)
