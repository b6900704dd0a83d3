"""What multiprocessing leaves in the temporary folder when its process is killed."""

import os
import signal
import subprocess
import sys

CODE = (
    "from terrasweep.machine.temporary_folder import own_temporary_folder; "
    "own_temporary_folder(); print('ready', flush=True); input()"
)


def start(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    process.communicate("\n", timeout=60)


def test_a_killed_process_s_folder_goes_at_the_next_start_and_no_other(tmp_path):
    strangers = tmp_path / "pymp-of-a-stranger"
    strangers.mkdir()
    living, killed = start(tmp_path), start(tmp_path)
    (kept,) = [file.parent for file in tmp_path.glob("pymp-*/*") if f"-{living.pid}-" in file.read_text()]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(tmp_path.iterdir())) == 3
    third = start(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3, "its own instead of the killed one's"
    assert kept.exists()
    assert strangers.exists()
    end(third)
    end(living)
    assert list(tmp_path.iterdir()) == [strangers], "those who end by themselves leave nothing"


def test_a_folder_whose_owner_can_t_be_read_stays_and_stops_nothing(tmp_path):
    marker = tmp_path / "pymp-0" / "terrasweep-owner"
    marker.mkdir(parents=True)
    killed = start(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    end(start(tmp_path))
    assert list(tmp_path.iterdir()) == [marker.parent], "the killed one's is gone all the same"
