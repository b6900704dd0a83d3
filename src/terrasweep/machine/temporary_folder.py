"""The folder that multiprocessing makes for its sockets in the temporary folder, and those that killed processes left.

Python removes it when a process ends by itself; a killed one leaves it. So each says whose it is.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from multiprocessing import util
from pathlib import Path

from terrasweep.machine.process_identity import is_alive, this_process

_OWNER = "terrasweep-owner"


@functools.cache
def own_temporary_folder() -> None:
    """Make this process's folder known as its own, and remove those of processes that are gone."""
    for marker in Path(tempfile.gettempdir()).glob(f"pymp-*/{_OWNER}"):
        try:
            abandoned = not is_alive(marker.read_text())
        except OSError:  # Another user's, or it has just gone.
            continue
        if abandoned:
            shutil.rmtree(marker.parent, ignore_errors=True)
    (Path(util.get_temp_dir()) / _OWNER).write_text(this_process())
