"""Values of reuse and probe that are wrong are a line each."""

import pytest

from terrasweep.config.reuse import ConfirmConfig, ProbeConfig, ReuseConfig, find_bad_values


@pytest.mark.parametrize(
    ("reuse", "probe", "confirm", "expected"),
    [
        ({}, {}, {}, []),
        ({"name": "of"}, {}, {}, ["reuse.name=of: unknown; did you mean off"]),
        ({"verify": 1.5}, {}, {}, ["reuse.verify=1.5: it is a share of the trials; use 0 to 1"]),
        ({}, {"steps": 0}, {}, ["probe.steps=0: nothing would be measured; use 1 or more"]),
        ({}, {"evaluation_batches": 0}, {}, ["probe.evaluation_batches=0: nothing would be measured; use 1 or more"]),
        (
            {"name": "off", "verify": 0.5, "studies": ["a", "b"], "to_rounding": True},
            {},
            {},
            ["reuse=off with reuse.verify=0.5, reuse.studies=[a,b], reuse.to_rounding=true: nothing is taken"],
        ),
        ({}, {}, {"disturbed_again": -1}, ["confirm.disturbed_again=-1: it is a number of probes; use 0 or more"]),
        ({}, {}, {"rounds": -1}, ["confirm.rounds=-1: it is a number of probes; use 0 or more"]),
    ],
)
def test_each_is_a_line(reuse, probe, confirm, expected):
    found = list(find_bad_values(ReuseConfig(**reuse), ProbeConfig(**probe), ConfirmConfig(**confirm)))
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))
