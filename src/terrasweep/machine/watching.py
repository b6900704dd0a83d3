"""A thread that watches something while a block runs, and is gone after it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def watching(watch: Callable[[threading.Event], object], name: str) -> Iterator[None]:
    """Run a function beside the block, and wait for its end behind it, however the block ends.

    Args:
        watch: Is told by the event that the block is over, and returns soon after.
        name: Of the thread.
    """
    over = threading.Event()
    thread = threading.Thread(target=watch, args=(over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
