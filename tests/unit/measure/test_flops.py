"""FLOPs of a step against a count by hand."""

import torch

from terrasweep.measure.flops import _int8_product, count_flops


def test_forward_and_backward_of_a_linear_layer():
    first, second = torch.nn.Linear(8, 16, bias=False), torch.nn.Linear(16, 4, bias=False)
    batch = torch.randn(32, 8)
    forward = 2 * 32 * (8 * 16 + 16 * 4)
    # Backward: each weight's gradient, and the gradient of the second layer's input.
    backward = forward + 2 * 32 * 16 * 4
    assert count_flops(lambda: second(first(batch)).sum()) == forward + backward


def test_int8_products_count_as_the_products_they_are():
    assert _int8_product((2, 3, 8), (5, 8)) == 2 * 6 * 8 * 5
