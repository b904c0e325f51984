"""A network file as a PyTorch module."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from network import Description, Layer

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class GlobalAvgPool(nn.Module):
    """The mean of each channel: `[N, C, H, W]` to `[N, C, 1, 1]`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3), keepdim=True)


class Add(nn.Module):
    """The sum of two values."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class Concat(nn.Module):
    """Values side by side along the channels."""

    def forward(self, *xs: torch.Tensor) -> torch.Tensor:
        return torch.cat(xs, dim=1)


def module(layer: Layer, shape: torch.Size) -> nn.Module:
    """The layer in PyTorch, for a first input of `shape`."""
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in layer.settings.items()}
    if "kernel" in settings:
        settings["kernel_size"] = settings.pop("kernel")
    match layer.op:
        case "conv2d":
            return nn.Conv2d(shape[1], **settings)
        case "max_pool2d":
            return nn.MaxPool2d(**settings)
        case "avg_pool2d":
            return nn.AvgPool2d(**settings)
        case "batch_norm2d":
            return nn.BatchNorm2d(shape[1], **settings)
        case "linear":
            return nn.Linear(shape[1], **settings)
        case "dropout":
            return nn.Dropout(settings["p"])
        case "flatten":
            return nn.Flatten()
        case "global_avg_pool":
            return GlobalAvgPool()
        case "softmax":
            return nn.Softmax(dim=1)
        case "add":
            return Add()
        case "concat":
            return Concat()
        case op:
            return ACTIVATIONS[op]()


class Network(nn.Module):
    """A description as a PyTorch module. Its `modules_in_order` are those of `description.layers`."""

    def __init__(self, description: Description):
        super().__init__()
        self.modules_in_order = nn.ModuleList()
        self.places: list[list[int]] = []
        # Two images, so that batch norm has a variance; shapes are found by running the layers once.
        values = [torch.zeros(2, *description.input)]
        names = {"input": 0}
        for layer in description.layers:
            places = [names[name] for name in layer.inputs]
            made = module(layer, values[places[0]].shape)
            with torch.no_grad():
                values.append(made.eval()(*(values[place] for place in places)))
            self.modules_in_order.append(made)
            self.places.append(places)
            names[layer.name] = len(values) - 1
        # A value is let go after its last reader.
        self.last_use = {place: index for index, places in enumerate(self.places) for place in places}
        self.train()

    def load(self, description: Description, file: Path) -> None:
        """Take over the weights of a safetensors file of Taper's, in which a layer's are called as in PyTorch."""
        found = load_file(file)
        for layer, layer_module in zip(description.layers, self.modules_in_order, strict=True):
            names = [name for name in layer_module.state_dict() if name != "num_batches_tracked"]
            layer_module.load_state_dict({name: found[f"{layer.name}.{name}"] for name in names}, strict=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[int, torch.Tensor] = {0: x}
        for index, (layer, places) in enumerate(zip(self.modules_in_order, self.places, strict=True)):
            values[index + 1] = layer(*[values[place] for place in places])
            for place in places:
                if self.last_use[place] == index:
                    values.pop(place, None)
        return values[len(self.places)]
