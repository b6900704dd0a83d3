"""multiprocessing's forkserver passes over a preload that fails, and every trial would then import for itself."""

import sys

from terrasweep import process
from terrasweep.process import Limits
from tests.composing import ROOT


def loaded(report):
    """In the child: whether it was forked from a process that had imported everything."""
    names = ("terrasweep.trial.preload", "terrasweep.trial.measure_in_child", "terratorch", "peft", "bitsandbytes")
    report(loaded=[name for name in names if name in sys.modules], names=names)


def test_a_trial_s_process_is_forked_with_the_libraries_in_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TERRASWEEP_START_METHOD", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    outcome = process.run("tests.unit.trial.test_preload:loaded", {}, tmp_path / "log.txt", Limits(timeout_s=300))
    assert outcome.error is None, (tmp_path / "log.txt").read_text()
    assert outcome.reported["loaded"] == list(outcome.reported["names"])
