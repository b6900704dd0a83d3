"""Values as overrides in Hydra's grammar."""

from __future__ import annotations

import re
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)
"""What needs no quotes, unless it is one of the words that mean something else."""
_WORDS = ("null", "true", "false", "nan", "inf")


def as_override(key: str, value: Any) -> str:
    """A key and its value as an override that Hydra reads back as the same value."""
    return f"{key}={_in_hydra_s_grammar(value)}"


def _in_hydra_s_grammar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else QuotedString(text=value, quote=Quote.single).with_quotes()
    if isinstance(value, list):
        return f"[{','.join(map(_in_hydra_s_grammar, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{_in_hydra_s_grammar(k)}:{_in_hydra_s_grammar(v)}' for k, v in value.items())}}}"
    return str(value)
