"""What watches runs beside a block and no longer, however the block ends."""

import threading

import pytest

from terrasweep.machine.watching import watching


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_it_runs_beside_the_block_and_has_ended_behind_it(error):
    begun, ended = threading.Event(), []

    def watch(over):
        begun.set()
        ended.append(over.wait(60))

    def block():
        with watching(watch, "a watch"):
            assert begun.wait(60), "beside the block"
            assert ended == []
            if error:
                raise error

    if error:
        with pytest.raises(error):
            block()
    else:
        block()
    assert ended == [True], "it was told, and waited for"
    assert "a watch" not in [thread.name for thread in threading.enumerate()]
