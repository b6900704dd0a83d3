"""What stands beside weights tells whether they can be read, and on what they stand."""

import json

import pytest
import torch
from torch import nn

from terrasweep.machine.paths import WEIGHTS
from terrasweep.models.torch_internals import WRAPPER_PREFIX, wrap_modules
from terrasweep.models.weights_record import RECORD, SCHEMA_VERSION, frozen_checksum, read_record
from terrasweep.results.errors import InvalidConfig


def test_a_trial_without_weights_says_so(tmp_path):
    with pytest.raises(InvalidConfig, match="it holds no weights"):
        read_record(tmp_path)


def test_weights_of_a_later_version_are_refused(tmp_path):
    (tmp_path / WEIGHTS).mkdir()
    newer = SCHEMA_VERSION + 1
    (tmp_path / WEIGHTS / RECORD).write_text(json.dumps({"schema_version": newer, "what": "is new"}))
    with pytest.raises(InvalidConfig, match=f"schema version {newer}, newer than {newer - 1}"):
        read_record(tmp_path)


def test_the_checksum_is_of_what_is_frozen_and_not_made_again():
    encoder = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
    encoder[2].requires_grad_(True)
    before = frozen_checksum(encoder, ["1"])
    with torch.no_grad():
        encoder[1].weight.add_(1)  # It was quantized.
        encoder[2].weight.add_(1)  # It learns.
        assert frozen_checksum(encoder, ["1"]) == before
        encoder[0].bias.add_(1)
    assert frozen_checksum(encoder, ["1"]) != before
    assert frozen_checksum(encoder, []) != frozen_checksum(encoder, ["1"])


def test_a_wrapped_module_has_the_checksum_that_it_had():
    encoder = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
    before = frozen_checksum(encoder, [])
    wrap_modules(encoder, [encoder[0]])
    assert any(WRAPPER_PREFIX in name for name, _ in encoder.named_parameters())
    assert frozen_checksum(encoder, []) == before
