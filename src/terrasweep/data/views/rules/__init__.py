"""What is put right, or refused, by what files say of themselves: one rule per module, in the order of RULES."""

from __future__ import annotations

from collections.abc import Callable

from terrasweep.data.views.file_set import FileSet

RULES: tuple[Callable[[FileSet], FileSet], ...] = ()
"""Each takes all files, and gives them back as it wants them to be read, with its remarks."""
