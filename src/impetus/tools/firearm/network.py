"""The detector's network in PyTorch: anchor-free, three scales, a million parameters at most; for training only.

A small relative of YOLOX (Ge et al. 2021, arXiv:2107.08430): plain 3 x 3 convolutions, because one core runs them
faster than depth-wise ones; one shared head for classes and boxes; a path down that mixes coarse into fine. Its
exported output is YOLOX's own, so that the decoder `yolox` reads it: for each cell of the strides 8, 16 and 32 the
centre's offset and the logarithm of width and height in strides, an objectness (here always 1), and a probability a
class.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from impetus.tools.firearm.pytorch import nn, torch

Tensor: TypeAlias = Any

STRIDES = (8, 16, 32)
CLASSES = ("person", "weapon")


def _convolution(inside: int, outside: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outside, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Stage(nn.Module):  # type: ignore[misc]
    """Cross-stage partial block (Wang et al. 2020, arXiv:1911.11929) with `depth` residual convolutions."""

    def __init__(self, inside: int, outside: int, depth: int) -> None:
        super().__init__()
        half = outside // 2
        self.enter = _convolution(inside, outside, 1)
        self.blocks = nn.ModuleList(_convolution(half, half) for _ in range(depth))
        self.leave = _convolution(outside, outside, 1)

    def forward(self, x: Tensor) -> Tensor:
        straight, worked = self.enter(x).chunk(2, 1)
        for block in self.blocks:
            worked = worked + block(worked)
        return self.leave(torch.cat((straight, worked), 1))


class Network(nn.Module):  # type: ignore[misc]
    """Pictures (B x 3 x H x W, blue-green-red, 0..255; H and W multiples of 32) to (B x cells x (4 + classes)).

    In training the classes are logits; `Exported` gives YOLOX's output.
    """

    def __init__(self, width: int = 32, neck: int = 32, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.classes = classes
        w = width
        self.stem = _convolution(3, w // 2, 3, 2)
        self.two = _convolution(w // 2, w, 3, 2)
        self.three = nn.Sequential(_convolution(w, 2 * w, 3, 2), Stage(2 * w, 2 * w, 2))
        self.four = nn.Sequential(_convolution(2 * w, 3 * w, 3, 2), Stage(3 * w, 3 * w, 2))
        self.five = nn.Sequential(_convolution(3 * w, 4 * w, 3, 2), Stage(4 * w, 4 * w, 2))
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.mix = _convolution(8 * w, neck, 1)
        self.side_four, self.side_three = _convolution(3 * w, neck, 1), _convolution(2 * w, neck, 1)
        self.down_four, self.down_three = Stage(2 * neck, neck, 1), Stage(2 * neck, neck, 1)
        self.up_four, self.up_five = _convolution(neck, neck, 3, 2), _convolution(neck, neck, 3, 2)
        self.out_four, self.out_five = Stage(2 * neck, neck, 1), Stage(2 * neck, neck, 1)
        self.heads = nn.ModuleList(nn.Sequential(_convolution(neck, neck), _convolution(neck, neck)) for _ in STRIDES)
        self.boxes = nn.ModuleList(nn.Conv2d(neck, 4, 1) for _ in STRIDES)
        self.kinds = nn.ModuleList(nn.Conv2d(neck, classes, 1) for _ in STRIDES)
        for layer in self.kinds:
            nn.init.constant_(layer.bias, -4.6)  # a hundredth: most cells hold nothing
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.two(self.stem(pictures * (1 / 64) - 2.0))
        three = self.three(x)
        four = self.four(three)
        five = self.five(four)
        near = self.pool(five)
        top = self.mix(torch.cat((five, near), 1))
        four = self.down_four(torch.cat((self.enlarge(top), self.side_four(four)), 1))
        three = self.down_three(torch.cat((self.enlarge(four), self.side_three(three)), 1))
        four = self.out_four(torch.cat((self.up_four(three), four), 1))
        five = self.out_five(torch.cat((self.up_five(four), top), 1))
        found = []
        for level, feature in enumerate((three, four, five)):
            worked = self.heads[level](feature)
            found.append(torch.cat((self.boxes[level](worked), self.kinds[level](worked)), 1).flatten(2))
        return torch.cat(found, 2).transpose(1, 2)


class Exported(nn.Module):  # type: ignore[misc]
    """The network with YOLOX's output: B x cells x (4 + 1 + classes), probabilities in place of logits."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        raw = self.network(pictures)
        one = torch.ones_like(raw[..., :1])
        return torch.cat((raw[..., :4], one, raw[..., 4:].sigmoid()), -1)


def cells(height: int, width: int, device: Any) -> tuple[Tensor, Tensor]:
    """Left upper corner of each cell (N x 2, in pixels) and its stride (N)."""
    corners, strides = [], []
    for stride in STRIDES:
        rows = torch.arange(height // stride, device=device)
        columns = torch.arange(width // stride, device=device)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        corners.append(torch.stack((x, y), -1).reshape(-1, 2) * stride)
        strides.append(torch.full((len(rows) * len(columns),), stride, device=device))
    return torch.cat(corners).float(), torch.cat(strides).float()


def decode(raw: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """Boxes left, top, right, bottom in pixels (B x N x 4) from raw outputs."""
    middle = raw[..., :2] * strides[:, None] + corners
    size = raw[..., 2:4].clamp(max=8).exp() * strides[:, None]
    return torch.cat((middle - size / 2, middle + size / 2), -1)
