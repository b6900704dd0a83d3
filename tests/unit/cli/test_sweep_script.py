"""What stops everything before it began: one line, and a status that says whose fault it is."""

import pytest

from terrasweep.cli.sweep_script import _status
from terrasweep.results.errors import Crashed, DataError, DeviceOutOfMemory, HostOutOfMemory, InvalidConfig


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidConfig("train.lr=-1: it must be above 0"), 2),
        (HostOutOfMemory("a look at the data can't be prepared"), 1),
        (DeviceOutOfMemory("synthetic tiles can't be prepared"), 1),
        (DataError("a look at the data can't be prepared"), 1),
        (Crashed("the backbones can't be listed"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_known_end_is_one_line(error, status, capsys):
    def main():
        raise error

    assert _status(main, show_traceback=False) == status
    assert capsys.readouterr().err == f"{error}\n"


def test_a_defect_keeps_its_traceback():
    def main():
        raise KeyError("x")

    with pytest.raises(KeyError):
        _status(main, show_traceback=False)
