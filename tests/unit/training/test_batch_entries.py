"""A batch is counted by its images."""

import torch

from terrasweep.training.batch_entries import batch_size


def test_a_batch_has_as_many_samples_as_each_of_its_images():
    images = torch.zeros(4, 2, 8, 8)
    assert batch_size({"image": images}) == batch_size({"image": {"S2": images, "S1": images[:, :1]}}) == 4
