"""A network file as an ONNX model, for timing alone: with the weights of the safetensors file beside it, or random ones.

    python onnx_model.py NETWORK.toml...

writes NETWORK.onnx beside each.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from network import Description, Layer, read
from torch_network import Network

OPSET = 21
PLAIN = {
    "relu": "Relu",
    "gelu": "Gelu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "global_avg_pool": "GlobalAveragePool",
    "flatten": "Flatten",
    "softmax": "Softmax",
    "add": "Add",
}


def pair(value: int | list[int]) -> list[int]:
    """`3` means `[3, 3]`."""
    return [value, value] if isinstance(value, int) else list(value)


def window(settings: dict) -> dict:
    """The attributes that convolution and pooling share."""
    attributes = {"kernel_shape": pair(settings["kernel"]), "pads": pair(settings["padding"]) * 2}
    attributes["strides"] = pair(settings["stride"] or settings["kernel"])
    if "dilation" in settings:
        attributes["dilations"] = pair(settings["dilation"])
    if "ceil_mode" in settings:
        attributes["ceil_mode"] = int(settings["ceil_mode"])
    return attributes


def nodes(layer: Layer, inputs: list[str], params: list[str]) -> list[onnx.NodeProto]:
    """The layer's nodes. Its value is called as the layer."""
    settings, out = layer.settings, [layer.name]

    def node(op: str, arguments: list[str] = inputs, result: list[str] = out, **attributes) -> onnx.NodeProto:
        return helper.make_node(op, arguments, result, **attributes)

    match layer.op:
        case "dropout":
            return [node("Identity")]
        case "conv2d":
            return [node("Conv", inputs + params, group=settings["groups"], **window(settings))]
        case "linear":
            return [node("Gemm", inputs + params, transB=1)]
        case "batch_norm2d":
            return [node("BatchNormalization", inputs + params, epsilon=settings["eps"])]
        case "max_pool2d":
            return [node("MaxPool", **window(settings))]
        case "avg_pool2d":
            return [node("AveragePool", count_include_pad=int(settings["count_include_pad"]), **window(settings))]
        case "concat":
            return [node("Concat", axis=1)]
        case "softmax":
            return [node("Softmax", axis=1)]
        case "silu":
            gate = f"{layer.name}/gate"
            return [node("Sigmoid", result=[gate]), node("Mul", [*inputs, gate])]
        case op:
            return [node(PLAIN[op])]


def parameters(made: torch.nn.Module) -> Iterable[tuple[str, np.ndarray]]:
    """Name and value, in the order in which ONNX takes them, which is PyTorch's."""
    for name, value in made.state_dict().items():
        if name != "num_batches_tracked":
            yield name, value.numpy()


def build(description: Description, network: Network) -> bytes:
    """The model, with the weights of `network`; its batch is of any size."""
    made: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    for layer, layer_module in zip(description.layers, network.modules_in_order, strict=True):
        params = [(f"{layer.name}.{name}", value) for name, value in parameters(layer_module)]
        weights += [numpy_helper.from_array(value, name) for name, value in params]
        made += nodes(layer, layer.inputs, [name for name, _ in params])
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *description.input])
    result = helper.make_tensor_value_info(description.layers[-1].name, TensorProto.FLOAT, ["N", None])
    graph = helper.make_graph(made, description.name, [source], [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main() -> None:
    """Write a model for each file of the command line."""
    for path in map(Path, sys.argv[1:]):
        description = read(path)
        network = Network(description)
        if (weights := path.with_suffix(".safetensors")).exists():
            network.load(description, weights)
        path.with_suffix(".onnx").write_bytes(build(description, network.eval()))


if __name__ == "__main__":
    main()
