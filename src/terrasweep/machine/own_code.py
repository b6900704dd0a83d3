"""terrasweep's own code as a hash: what was computed with other code may be another number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import terrasweep


@cache
def code_digest(packages: tuple[str, ...]) -> str:
    """Of all modules in so many packages of terrasweep."""
    root = Path(terrasweep.__file__).parent
    return files_digest(file for package in packages for file in sorted((root / package).rglob("*.py")))


def files_digest(files: Iterable[Path]) -> str:
    """Of files by their names and contents, in order."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
