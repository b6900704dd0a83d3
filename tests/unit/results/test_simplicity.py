"""Which of two configurations asks for less."""

from __future__ import annotations

from typing import Any

import pytest

from terrasweep.results.simplicity import PLAIN, complexity
from tests.composing import compose_trial

PLAINEST = {"quantization": {"name": "none"}, "tuning": {"name": "full"}, "precision": {"name": "fp32"}}


@pytest.mark.parametrize(
    ("simpler", "other"),
    [
        ({}, {"quantization": {"name": "nf4"}}),
        ({}, {"checkpointing": {"name": "blocks"}}),
        ({}, {"offload": {"name": "activations"}}),
        ({"tuning": {"name": "frozen"}}, {"tuning": {"name": "lora", "rank": 1}}),
        ({"tuning": {"name": "lora", "rank": 4}}, {"tuning": {"name": "lora", "rank": 8}}),
        ({"tuning": {"name": "lora", "rank": 64}}, {"tuning": {"name": "lora", "rank": 1, "frozen_dtype": "bf16"}}),
        (
            {"tuning": {"name": "lora", "rank": 64}},
            {"tuning": {"name": "lora", "rank": 1}, "offload": {"name": "nvme"}},
        ),
        ({"quantization": {"name": "int8", "skip": []}}, {"quantization": {"name": "int8", "skip": "auto"}}),
    ],
)
def test_fewer_transformations_then_fewer_refinements_then_a_lower_rank(
    simpler: dict[str, Any], other: dict[str, Any]
) -> None:
    assert complexity(PLAINEST | simpler) < complexity(PLAINEST | other)


def test_the_plainest_configuration_asks_for_nothing_and_neither_does_an_empty_one() -> None:
    assert complexity(PLAINEST) == complexity({}) == complexity({"tuning": None}) == (0, 0, 0)


def test_every_knob_that_counts_is_one_of_the_configuration_s() -> None:
    config = compose_trial()
    assert {knob for knob in PLAIN if hasattr(config, knob)} == set(PLAIN)
