"""Whether what a user gave is the name of something that is there. Any text may be given, and none raises.

:class:`pathlib.Path` raises for a text that is longer than a name may be, and for what lies in a folder where one may
not look. How such a text becomes a path is in :mod:`terrasweep.machine.paths`.
"""

from __future__ import annotations

import stat
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether something is there."""
    return _mode(path) is not None


def is_folder(path: Path) -> bool:
    """Whether a folder is there."""
    return stat.S_ISDIR(_mode(path) or 0)


def is_file(path: Path) -> bool:
    """Whether a plain file is there."""
    return stat.S_ISREG(_mode(path) or 0)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return None
