"""The two networks of section 4.5."""

from torch import nn
from torchvision.models.resnet import BasicBlock


def paper_cnn(outputs: int) -> nn.Sequential:
    """The small CNN for MNIST: two 5×5 convolutions, 1 → 16 → 32, and a dense layer, to (N, outputs) logits.

    The released code has 120 ``outputs`` for 10 classes; the paper has no number. Each convolution is
    followed by 2×2 max-pooling and a ReLU. The paper has them the other way round, which is the same function
    with the same gradients: the two commute. This way the ReLU meets a quarter of the numbers.
    """
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, outputs),
    )


def small_resnet18(width: int = 64, classes: int = 10) -> nn.Sequential:
    """ResNet-18 for 32×32 images, of torchvision's blocks: a 3×3 stem of stride 1 and no pooling behind it.

    The first stage has ``width`` channels, 64 in ResNet-18; each of the other three doubles them.
    Convolutions start as torch's do by default, which the released code leaves as it is; torchvision's ResNet
    has weights √6 times as large. Behind a batch norm that changes no output, but what a step of a given size
    does.
    """
    stages: list[nn.Module] = []
    inside = width
    for stage in range(4):
        outside, stride = width * 2**stage, 1 if stage == 0 else 2
        first = BasicBlock(inside, outside, stride, _shortcut(inside, outside, stride))
        stages += [first, BasicBlock(outside, outside)]
        inside = outside
    stem = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes))


def _shortcut(inside: int, outside: int, stride: int) -> nn.Module | None:
    if inside == outside:
        return None
    return nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
