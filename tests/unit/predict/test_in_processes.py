"""Work that is handed out to processes comes back by its places, whatever becomes of them."""

import os
import signal
import sys
from types import ModuleType

import pytest

from terrasweep.predict import in_processes
from terrasweep.predict.in_processes import predict_families


def answer(report, configs, device):
    """Instead of a prediction, the process that made it; a refusal of what is asked to be refused."""
    for number, config in enumerate(configs):
        if config == "end":
            os.kill(os.getpid(), signal.SIGKILL)
        report(**{"refused" if config == "refuse" else "predictions": {number: (config, device, os.getpid())}})


@pytest.fixture(autouse=True)
def without_torch(monkeypatch):
    """What is forked has nothing to import."""
    monkeypatch.setitem(sys.modules, "terrasweep.predict.peak_memory", ModuleType("peak_memory"))
    monkeypatch.setattr(in_processes, "predict", answer)


@pytest.mark.parametrize("processes", [1, 2])
def test_each_answer_has_its_own_place(processes):
    families = [[(7, "a"), (3, "b")], [(0, "c"), (5, "refuse")]]
    told = {"predictions": {}, "refused": {}}
    predict_families(lambda **values: [told[name].update(v) for name, v in values.items()], families, "cuda", processes)
    assert {place: found[:2] for place, found in told["predictions"].items()} == {
        7: ("a", "cuda"),
        3: ("b", "cuda"),
        0: ("c", "cuda"),
    }
    assert told["refused"].keys() == {5}
    assert told["predictions"][7][2] == told["predictions"][3][2], "a family is one process's"
    assert (told["predictions"][7][2] == os.getpid()) is (processes == 1)


def test_a_process_that_ends_costs_its_family_alone():
    """And the families that no process is left for; they have a reason."""
    told = {"predictions": {}, "refused": {}}
    families = [[(0, "end"), (1, "a")], [(2, "end")]]
    predict_families(lambda **values: [told[name].update(v) for name, v in values.items()], families, "cuda", 2)
    assert told["refused"].keys() == {0, 1, 2}
    assert all(reason.startswith("a process ended before") for reason in told["refused"].values())
