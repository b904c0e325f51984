"""The reference CNN as a PyTorch user writes it; the names of its ten tensors are those of Taper's file."""

import torch
from torch import nn


def block(channels: int, filters: int, padding: int) -> nn.Sequential:
    """Convolution, ReLU, max-pool, dropout."""
    convolution = nn.Conv2d(channels, filters, kernel_size=3, padding=1)
    return nn.Sequential(convolution, nn.ReLU(), nn.MaxPool2d(2, padding=padding), nn.Dropout(0.3))


class ReferenceCnn(nn.Module):
    """Images `[N, 1, 28, 28]` to logits `[N, 10]`."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = block(1, 32, 0), block(32, 64, 0), block(64, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 625)
        self.dropout = nn.Dropout(0.3)
        self.fc2 = nn.Linear(625, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.layer3(self.layer2(self.layer1(images))).flatten(1)
        return self.fc2(self.dropout(self.fc1(features).relu()))
