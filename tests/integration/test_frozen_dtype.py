"""What frozen weights in 16 bits save is saved at the peak, in a trial as it runs."""

import pytest

from tests.trials import run_measured, tiny

pytestmark = pytest.mark.slow

WIDE = ("+backbone.arguments.embed_dim=1024", "+backbone.arguments.depth=8", "+backbone.arguments.num_heads=8")
"""About 100 M parameters: 400 MB in 32 bits."""
EXACT = ("train.untimed_steps=3", "train.max_steps=1")
"""On a CPU memory that was freed counts until the first steps have given it back."""

IN_USE = 4 * 16
"""MiB that may be 32 bits wide for the time of a use: the largest weight, and what the library makes of it."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_falls_by_what_the_weights_lose(tmp_path, precision):
    found = {}
    for dtype in ("fp32", "bf16"):
        knobs = (
            "backbone.checkpoint=null",
            "tuning.rank=2",
            "train.batch_size=2",
            f"precision={precision}",
            *WIDE,
            *EXACT,
        )
        config = tiny(*knobs, f"tuning.frozen_dtype={dtype}", "train.device=cpu")
        outcome = run_measured(tmp_path, config, tmp_path / dtype)
        assert outcome.error is None, (tmp_path / dtype / "log.txt").read_text()
        found[dtype] = outcome.reported["measurements"]
    saved = (found["fp32"]["weight_bytes"] - found["bf16"]["weight_bytes"]) / 2**20
    assert saved > 150
    assert found["fp32"]["peak_memory_mib"] - found["bf16"]["peak_memory_mib"] > saved - IN_USE
