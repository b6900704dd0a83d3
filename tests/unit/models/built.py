"""Models as a trial builds them, and what they make of a fixed batch."""

import torch

from terrasweep.models.assemble import build_model
from tests.composing import compose_trial

CPU = torch.device("cpu")


BACKBONES = ["prithvi_eo_tiny", "prithvi_eo_v2_tiny_tl", "terramind_v1_tiny", "timm_vit_tiny_patch16_224"]


BLOCKS = dict(zip(BACKBONES, (4, 12, 12, 12), strict=True))


CLASSES = 3


def built(*overrides, seed=0):
    torch.manual_seed(seed)
    return build_model(compose_trial(*overrides), CLASSES, CPU)


def images(batch=2):
    return torch.randn(batch, 6, 64, 64, generator=torch.Generator().manual_seed(1))


def loss_and_gradients(model):
    torch.manual_seed(5)
    model.module.train()
    for module in model.module.modules():  # Statistics of a batch, not of the run: the forward pass is repeated.
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    loss = model.module(images()).output.square().mean()
    loss.backward()
    gradients = [p.grad for p in model.module.parameters() if p.requires_grad]
    assert all(g is not None for g in gradients)
    return loss.detach(), gradients


def assert_leaves_loss_and_gradients(change, *common):
    """Assert that an override changes nothing of the mathematics, to the last bit."""
    loss, gradients = loss_and_gradients(built(*common))
    changed_loss, changed_gradients = loss_and_gradients(built(*common, change))
    assert torch.equal(loss, changed_loss)
    assert all(torch.equal(a, b) for a, b in zip(gradients, changed_gradients, strict=True))
