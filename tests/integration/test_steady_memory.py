"""One configuration has one peak, in the first child as in the third; taking it exactly changes no loss."""

import pytest

from tests.trials import run_measured, tiny

pytestmark = pytest.mark.slow

STEPS = 8
EVEN = ("data.synthetic.train=32", "data.synthetic.val=8", "train.device=cpu", "backbone.checkpoint=null")
"""Peaks of the evaluation come near those of the training."""


def trial(home, name, untimed):
    steps = (f"train.untimed_steps={untimed}", f"train.max_steps={STEPS - untimed}")
    outcome = run_measured(home, tiny(*EVEN, *steps), home / name)
    assert outcome.error is None, (home / name / "log.txt").read_text()
    assert len(outcome.reported["curves"]["train_loss"]) == STEPS
    return outcome.reported


def test_peaks_agree_within_half_a_per_cent_and_losses_are_those_without_exact_steps(tmp_path):
    alike = [trial(tmp_path, f"exact{number}", untimed=4) for number in range(3)]
    peaks = [reported["measurements"]["peak_memory_mib"] for reported in alike]
    assert max(peaks) / min(peaks) < 1.005, peaks
    usual = trial(tmp_path, "usual", untimed=0)
    losses = [loss for _, loss in usual["curves"]["train_loss"]]
    for reported in alike:
        assert [loss for _, loss in reported["curves"]["train_loss"]] == pytest.approx(losses, rel=1e-4)
