"""Every combination of knobs is refused in one line by a rule, or builds; a sample of all pairs trains.

`nox -s matrix` trains every allowed combination, which takes hours.
"""

import gc
import os
import random

import pytest
import torch

from terrasweep.models.assemble import build_model
from terrasweep.models.offload.extensions import missing_for_nvme
from terrasweep.training.optimizers import build_optimizer
from terrasweep.trial.keys import keys_of
from terrasweep.trial.nvme_folder import own_nvme_folder
from tests.integration.matrix import (
    AXES,
    Composer,
    assign_recipes,
    combinations,
    counterparts,
    covering,
    violations,
)
from tests.integration.test_invariance import TOLERANCE
from tests.trials import run_measured

CPU = torch.device("cpu")
CLASSES = 3
MOST_APART = 0.01
"""Of accuracies: a few pixels that change their class with a rounding."""


@pytest.fixture(scope="module")
def composer():
    return Composer()


@pytest.fixture(scope="module")
def found(composer):
    """The violations of every combination."""
    return {combination: violations(composer.config(combination)) for combination in combinations()}


@pytest.fixture(scope="module")
def allowed(found):
    return [combination for combination, lines in found.items() if not lines]


@pytest.mark.slow
def test_each_combination_is_allowed_or_refused_in_one_line_per_reason(found):
    assert len(found) >= 1000
    refused = [lines for lines in found.values() if lines]
    assert 0 < len(refused) < len(found)
    for lines in refused:
        assert len(lines) == len(set(lines))
        assert all("\n" not in line and ": " in line and "; " in line for line in lines)


@pytest.mark.slow
def test_what_is_refused_is_what_excludes_each_other(found):
    """An oracle of its own: the exclusions that this machine's knobs have, written down once more."""
    for combination, lines in found.items():
        text = " ".join(combination)
        low_bit = "quantization=none" not in text
        stage_3 = "offload=parameters" in text or "offload=nvme" in text
        zero = stage_3 or "offload=optimizer" in text
        expected = [
            low_bit and "tuning=full" in text,
            "precision=fp16" in text,  # On a CPU.
            "precision=fp16" in text and zero,
            "8bit" in text and zero,
            "dora" in text and stage_3 and low_bit,
            "loftq" in text and not low_bit,
            "offload=nvme" in text and low_bit,
            "offload=nvme" in text and "frozen_dtype=bf16" in text,
            "offload=nvme" in text and bool(missing_for_nvme("cpu")),
        ]
        assert len(lines) == sum(expected), text


@pytest.mark.slow
def test_every_allowed_combination_builds(composer, allowed):
    """Each distinct model once: a backbone, its bits and what learns; the rest is drawn from what goes with it."""
    images = torch.randn(1, 6, 64, 64, generator=torch.Generator().manual_seed(0))
    models = {}
    for combination in random.Random(0).sample(allowed, len(allowed)):
        models.setdefault(combination[:3], combination)
    failures = []
    for number, combination in enumerate(models.values()):
        config = composer.config(combination)
        try:
            model = build_model(config, CLASSES, CPU, images)
            optimizer = build_optimizer(model.module.parameters(), config.optimizer, 1e-3)
            asked = {
                "quantized": config.quantization.name != "none",
                "adapted": config.tuning.name == "lora",
                "unfrozen": config.tuning.unfreeze_last > 0,
                "stored_in_bf16": config.tuning.frozen_dtype == "bf16",
                "checkpointed": config.checkpointing.name != "none",
                "offloaded": config.offload.name != "none",
            }
            assert {what for what, wanted in asked.items() if wanted} == model.touched.keys() - {"split"}
            assert optimizer.param_groups[0]["params"]
        except Exception as error:
            failures.append(f"{' '.join(combination)}: {type(error).__name__}: {error}")
        if number % 50 == 49:
            gc.collect()
    assert failures == []
    assert len(models) > 250
    assert {combination[3] for combination in models.values()} == set(AXES["checkpointing"])


@pytest.mark.slow
def test_a_sample_with_every_pair_of_values_trains(composer, allowed, tmp_path):
    """Also with every pair of a knob's value and a batch in parts, a schedule or an augmentation."""
    sample = covering(allowed)
    refused_here = {"precision=fp16"} | {o for o in AXES["offload"] if "nvme" in o and missing_for_nvme("cpu")}
    assert {o for c in sample for o in c} == {o for options in AXES.values() for o in options} - refused_here
    recipes, missing = assign_recipes(sample)
    assert missing == set()
    composer = composer.with_recipes(recipes)
    assert {line for combination in sample for line in violations(composer.config(combination))} == set()
    outcomes = train_all(composer, [*sample, *counterparts(sample, allowed)], tmp_path)
    check_reused_is_trained(composer, outcomes)
    same, near = (alike(composer, outcomes, to_rounding=rounding) for rounding in (False, True))
    assert len(same) >= len(AXES["quantization"])
    assert sum(map(len, near)) > sum(map(len, same))


@pytest.mark.skipif("TERRASWEEP_MATRIX" not in os.environ, reason="takes hours; run it by `nox -s matrix`")
@pytest.mark.timeout(0)
def test_every_allowed_combination_trains(composer, allowed, tmp_path):
    check_reused_is_trained(composer, train_all(composer, allowed, tmp_path))


def train_all(composer, chosen, home):
    """Two steps each, in a process of its own; what each came to."""
    failures, outcomes = [], {}
    for number, combination in enumerate(chosen):
        with own_nvme_folder(composer.config(combination)) as config:
            outcome = run_measured(home, config, home / "trials" / str(number))
        if outcome.error is not None:
            failures.append(f"{' '.join(combination)}: {outcome.error}")
        elif len(outcome.reported["curves"]["train_loss"]) != 2:
            failures.append(f"{' '.join(combination)}: it trained other than two steps")
        else:
            outcomes[combination] = outcome.reported
        if number % 20 == 19:
            print(f"{number + 1} of {len(chosen)} trained, {len(failures)} failed", flush=True)
    assert failures == []
    return outcomes


def alike(composer, outcomes, *, to_rounding):
    """The combinations that share an accuracy by their quality keys, in groups of two or more."""
    groups = {}
    for combination, reported in outcomes.items():
        key = keys_of(composer.config(combination)).quality_of(batch_statistics=reported["batch_statistics"])
        groups.setdefault(key.partition("-")[0] if to_rounding else key, []).append(combination)
    return [group for group in groups.values() if len(group) > 1]


def find_differences(outcomes, group, tolerance):
    """A line per combination whose losses or accuracy are further from the first one's than is stated."""
    first, *others = group
    losses = {c: [loss for _, loss in outcomes[c]["curves"]["train_loss"]] for c in group}
    accuracies = {c: outcomes[c]["measurements"]["accuracy"] for c in group}
    for other in others:
        far = max(abs(a - b) / abs(b) for a, b in zip(losses[other], losses[first], strict=True))
        apart = abs(accuracies[other] - accuracies[first])
        if far > tolerance or apart > MOST_APART:
            yield f"{' '.join(other)}: losses {far:.2g}, accuracy {apart:.2g} from {' '.join(first)}"


def check_reused_is_trained(composer, outcomes):
    """What would be reused is what a training comes to, to what docs/measurements.md states."""
    different = []
    for to_rounding, kind in ((False, "torch"), (True, "deepspeed")):
        for group in alike(composer, outcomes, to_rounding=to_rounding):
            precision = composer.config(group[0]).precision.name
            different += find_differences(outcomes, group, TOLERANCE[precision][kind])
    assert different == []
