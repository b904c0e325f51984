"""The networks that are compared: the presets, and series of them that grow in one respect."""

from pathlib import Path

Layers = list[dict]


def block(channels: int, **pool: int) -> Layers:
    """Convolution, ReLU and 2×2 max-pool."""
    return [
        {"op": "conv2d", "out_channels": channels, "kernel": 3, "padding": 1},
        {"op": "relu"},
        {"op": "max_pool2d", "kernel": 2, **pool},
    ]


def head(width: int) -> Layers:
    """The linear layers of the reference CNN."""
    dropout = {"op": "dropout", "p": 0.3}
    return [
        {"op": "flatten"},
        {"op": "linear", "out_features": width},
        {"op": "relu"},
        dropout,
        {"op": "linear", "out_features": 10},
    ]


def wide(factor: int) -> Layers:
    """The reference CNN with `factor` times its channels."""
    dropout = {"op": "dropout", "p": 0.3}
    first, second, third = block(32 * factor), block(64 * factor), block(128 * factor, padding=1)
    return [*first, dropout, *second, dropout, *third, dropout, *head(625 * factor)]


def any_size() -> Layers:
    """The reference CNN's convolutions, then a global average: its weights do not grow with the image."""
    end = [{"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "out_features": 10}]
    return [*block(32), *block(64), *block(128), *end]


def vgg() -> Layers:
    """In the manner of VGG (Simonyan & Zisserman 2014): pairs of 3×3 convolutions at three sizes."""
    layers: Layers = []
    for channels in [64, 128, 256]:
        conv, relu, pool = block(channels)
        layers += [conv, relu, conv, relu, pool]
    return [*layers, *head(512)]


def residual_block(layers: Layers, name: str, channels: int, stride: int) -> None:
    """Two 3×3 convolutions around a shortcut, which has a 1×1 convolution where the size changes."""
    source = layers[-1]["name"]

    def conv(part: str, kernel: int, step: int, **more: object) -> None:
        settings = {"out_channels": channels, "kernel": kernel, "stride": step, "padding": kernel // 2}
        layers.append({"name": f"{name}.{part}.conv", "op": "conv2d", **settings, "bias": False, **more})
        layers.append({"name": f"{name}.{part}.bn", "op": "batch_norm2d"})

    shortcut = source
    if stride > 1:
        conv("shortcut", 1, stride)
        shortcut = layers[-1]["name"]
    conv("a", 3, stride, inputs=[source])
    layers.append({"name": f"{name}.a.relu", "op": "relu"})
    conv("b", 3, 1)
    layers.append({"name": f"{name}.add", "op": "add", "inputs": [shortcut, f"{name}.b.bn"]})
    layers.append({"name": f"{name}.relu", "op": "relu"})


def resnet() -> Layers:
    """ResNet-20 for small images (He et al. 2015, section 4.2), with 1×1 convolutions as shortcuts."""
    stem = {"op": "conv2d", "out_channels": 16, "kernel": 3, "padding": 1, "bias": False}
    layers: Layers = [stem, {"op": "batch_norm2d"}, {"name": "stem", "op": "relu"}]
    for stage, channels in enumerate([16, 32, 64], start=1):
        for number in range(3):
            stride = 2 if stage > 1 and number == 0 else 1
            residual_block(layers, f"stage{stage}.{number}", channels, stride)
    return [*layers, {"op": "global_avg_pool"}, {"op": "flatten"}, {"op": "linear", "out_features": 10}]


def value(x: object) -> str:
    """A TOML value."""
    match x:
        case bool():
            return str(x).lower()
        case str():
            return f'"{x}"'
        case list():
            return f"[{', '.join(map(value, x))}]"
        case _:
            return str(x)


def text(name: str, sizes: list[int], layers: Layers) -> str:
    """The network file."""
    tables = ["\n".join(f"{key} = {value(x)}" for key, x in layer.items()) for layer in layers]
    return "\n\n[[layers]]\n".join([f"name = {value(name)}\ninput = {sizes}", *tables]) + "\n"


def write(folder: Path, presets: Path) -> None:
    """Write every network of the comparison to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {f"width-{factor}": ([1, 28, 28], wide(factor)) for factor in [1, 2, 4]}
    made |= {f"size-{size}": ([1, size, size], any_size()) for size in [28, 56, 112, 224]}
    made |= {"vgg": ([3, 32, 32], vgg()), "resnet": ([3, 32, 32], resnet())}
    for name, (sizes, layers) in made.items():
        (folder / f"{name}.toml").write_text(text(name, sizes, layers), encoding="utf-8")
    for preset in presets.glob("*.toml"):
        (folder / preset.name).write_text(preset.read_text(encoding="utf-8"), encoding="utf-8")
