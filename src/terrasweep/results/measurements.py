"""What a trial measured, by name. Which measurements there are is :mod:`terrasweep.measure.catalog`'s to say."""

from __future__ import annotations

Measured = float | int | str | None
"""One measurement's value; absent is None, never 0."""

Measurements = dict[str, Measured]
"""Name to value. A result of another version may have more names, or fewer: a name that is not there is absent, too."""
