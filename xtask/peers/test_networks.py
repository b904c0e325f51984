"""Peers run the network that the file describes."""

import gzip
import importlib.util
import tempfile
import unittest
from pathlib import Path

import numpy as np

import images
import network
import networks

PRESETS = Path(__file__).resolve().parents[2] / "crates" / "taper-graph" / "presets"
HAS_TORCH = importlib.util.find_spec("torch") is not None
EVERY_OP = """
name = "every"
input = [2, 9, 9]
[[layers]]
op = "conv2d"
out_channels = 4
kernel = [3, 1]
padding = [1, 0]
groups = 2
[[layers]]
op = "batch_norm2d"
[[layers]]
op = "gelu"
[[layers]]
name = "silu"
op = "silu"
[[layers]]
op = "tanh"
[[layers]]
op = "sigmoid"
[[layers]]
op = "concat"
inputs = ["silu", "5"]
[[layers]]
op = "max_pool2d"
kernel = 3
stride = 2
padding = 1
[[layers]]
op = "avg_pool2d"
kernel = 2
padding = 1
count_include_pad = false
[[layers]]
op = "flatten"
[[layers]]
op = "linear"
out_features = 3
[[layers]]
op = "dropout"
p = 0.5
[[layers]]
op = "softmax"
"""


FOLDER = tempfile.TemporaryDirectory()  # gone when the tests end


def written() -> dict[str, Path]:
    """All networks of the comparison."""
    folder = Path(FOLDER.name)
    networks.write(folder, PRESETS)
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


class Description(unittest.TestCase):
    def test_layers_read_the_one_above_unless_they_say_otherwise(self):
        layers = network.parse(EVERY_OP).layers
        self.assertEqual([layer.inputs for layer in layers[:2]], [["input"], ["0"]])
        self.assertEqual(layers[6].inputs, ["silu", "5"])
        self.assertEqual(layers[0].settings["stride"], 1)

    def test_what_is_not_known_is_refused(self):
        start = 'name = "x"\ninput = [1, 2, 2]\n[[layers]]\n'
        for layer, message in [
            ('op = "warp"', "no op is called warp"),
            ('op = "relu"\nslope = 1', "no setting"),
            ('op = "conv2d"\nkernel = 1', "lacks"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                network.parse(start + layer)

    def test_width_1_is_the_preset(self):
        files = written()
        preset, grown = (network.read(files[name]) for name in ["tutorial", "width-1"])
        pick = [[(layer.op, layer.settings) for layer in read.layers] for read in (preset, grown)]
        self.assertEqual(pick[0], pick[1])
        self.assertEqual(preset.input, grown.input)


class Images(unittest.TestCase):
    def test_files_are_read_and_resized(self):
        pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            head = bytes([0, 0, 8, 3]) + np.array([2, 3, 3], ">u4").tobytes()
            (folder / f"{images.FILES[0]}.gz").write_bytes(gzip.compress(head + pixels.tobytes()))
            (folder / images.FILES[1]).write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
            images.unpack(folder, folder / "unpacked")
            shown, labels = images.prepare(folder, (2, 6, 3), limit=1)
            again, _ = images.prepare(folder / "unpacked", (2, 6, 3), limit=1)
            self.assertEqual(sorted(path.name for path in (folder / "unpacked").iterdir()), sorted(images.FILES))
        self.assertEqual(labels.tolist(), [7])
        self.assertEqual(shown.shape, (1, 2, 6, 3))
        np.testing.assert_array_equal(shown, again)
        for channel in shown[0]:
            np.testing.assert_array_equal(channel, np.repeat(pixels[0], 2, axis=0))


@unittest.skipUnless(HAS_TORCH, "PyTorch is not installed")
class Modules(unittest.TestCase):
    def test_every_network_runs_and_every_op_answers_alike_in_onnx_runtime(self):
        import onnxruntime as ort
        import torch

        import onnx_model
        from torch_network import Network

        torch.manual_seed(0)
        files = written()
        chosen = ["lenet5", "residual", "resnet", "size-28", "tutorial"]
        described = [network.parse(EVERY_OP), *(network.read(files[name]) for name in chosen)]
        for description in described:
            with self.subTest(description.name):
                module = Network(description).eval()
                session = ort.InferenceSession(onnx_model.build(description, module))
                x = np.random.default_rng(0).random((3, *description.input), np.float32)
                with torch.inference_mode():
                    expected = module(torch.from_numpy(x)).numpy()
                np.testing.assert_allclose(session.run(None, {"input": x})[0], expected, rtol=1e-4, atol=1e-5)

    def test_weights_are_taken_over_from_a_file(self):
        import torch
        from safetensors.torch import save_file

        from torch_network import Network

        for name in ["tutorial", "residual"]:
            description = network.read(written()[name])
            first, second = Network(description).eval(), Network(description).eval()
            named = zip(description.layers, first.modules_in_order, strict=True)
            tensors = {f"{layer.name}.{key}": value for layer, made in named for key, value in made.state_dict().items()}
            x = torch.rand(2, *description.input)
            with tempfile.TemporaryDirectory() as folder:
                save_file(tensors, Path(folder) / "weights")
                second.load(description, Path(folder) / "weights")
            with torch.inference_mode():
                self.assertTrue(torch.equal(first(x), second(x)), name)

    def test_the_reference_cnn_has_its_parameters(self):
        from torch_network import Network

        module = Network(network.read(written()["tutorial"]))
        self.assertEqual(sum(value.numel() for value in module.parameters()), 1_379_557)


if __name__ == "__main__":
    unittest.main()
