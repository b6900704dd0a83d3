"""multiprocessing's forkserver passes over a preload that fails, and every trial would then import for itself."""

import signal
import sys

import psutil

from terrasweep import process
from terrasweep.process import Limits
from tests.composing import ROOT


def loaded(report):
    """In the child: whether it was forked from a process that had imported everything."""
    names = ("terrasweep.trial.preload", "terrasweep.trial.measure_in_child", "terratorch", "peft", "bitsandbytes")
    report(loaded=[name for name in names if name in sys.modules], names=names)
    report(thrown_away=throw_children_away())


def throw_children_away():
    """How many processes below this one are left after one that trains, one that fails and one that hangs."""
    from terrasweep.trial import preload

    train, left = preload._train_once, []
    for done in (train, sys.exit, signal.pause):
        preload._train_once, preload._TOUCH_S = done, 30 if done is train else 1
        preload.throw_away_a_child()
        left.append(len(psutil.Process().children()))
    return left


def test_a_trial_s_process_is_forked_with_the_libraries_in_it(tmp_path, monkeypatch):
    monkeypatch.delenv("TERRASWEEP_START_METHOD", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    outcome = process.run("tests.unit.trial.test_preload:loaded", {}, tmp_path / "log.txt", Limits(timeout_s=300))
    assert outcome.error is None, (tmp_path / "log.txt").read_text()
    assert outcome.reported["loaded"] == list(outcome.reported["names"])
    assert outcome.reported["thrown_away"] == [0, 0, 0], "the child that goes first is gone, whatever it does"
