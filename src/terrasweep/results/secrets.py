"""What must not be told: passwords and tokens in the URLs of storages, trackers and files.

The only place that masks. What is stored, uploaded or printed goes through it: :func:`masked_values` for
configurations and records, :func:`masked` for messages. Every :class:`~terrasweep.results.errors.TerrasweepError`
masks its own message.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

MASK = "***"

_BEFORE_HOST = re.compile(
    r"(?P<user>(?:://|%3A%2F%2F)(?:(?!%3A)[^:/@\s])*)(?::|%3A)"
    # Up to the first @, and up to those that follow within the same host: some drivers take an @ in a password.
    r"(?:(?!%40)[^@\s])*(?P<at>@|%40)(?:[^@/?#\s]*@)*",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(r"(?P<before>[?&;]|%3F|%26)(?P<name>[^=&;?\s]{1,80}?)(?P<equals>=|%3D)(?P<value>[^&\s]*)", re.I)
_SECRET_NAME = re.compile(
    r"pass|pwd|token|secret|credential|signature|api[._-]?key|access[._-]?key|private[._-]?key|auth|^sig$|-sig$|^key$",
    re.IGNORECASE,
)
_CLOSING = "'\")]}>,.;:!"
"""What a sentence puts behind a URL."""


def masked(text: str) -> str:
    """A text in which ``user:password@`` and secret arguments like ``?password=`` of every URL read ``***``.

    Names of arguments are compared after percent-decoding, and URLs that are an argument of another are found too.
    """
    text = _BEFORE_HOST.sub(lambda found: f"{found['user']}:{MASK}{found['at']}", text)
    return _ARGUMENT.sub(_argument, text)


def masked_values(value: Any) -> Any:
    """A configuration's or record's dicts, lists and scalars, with every text masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: masked_values(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(masked_values(part) for part in value)
    return value


def _argument(found: re.Match[str]) -> str:
    value = found["value"]
    if not value or not _SECRET_NAME.search(unquote(found["name"])):
        return found[0]
    kept = value[len(value.rstrip(_CLOSING)) :]
    return f"{found['before']}{found['name']}{found['equals']}{MASK}{kept}"
