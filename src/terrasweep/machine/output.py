"""What a process prints: without passwords, and whether anybody reads it or not, as after ``| head -1``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from terrasweep.results.secrets import masked


class GuardedOutput:
    """A text stream that masks the passwords of URLs, whoever writes them: Hydra shows configurations by itself.

    It drops what is written once its reader is gone, where Python would raise BrokenPipeError.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write with passwords masked, or drop; returns the length of what was given."""
        try:
            self._stream.write(masked(text))
        except BrokenPipeError:
            self._drop()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """As :meth:`write`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """Send what is buffered, and all that follows, nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_output() -> None:
    """Mask passwords in this process's own output and errors, and let them be read or not."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, GuardedOutput):
            setattr(sys, name, cast(TextIO, GuardedOutput(stream)))
