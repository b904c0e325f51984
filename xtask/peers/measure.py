#!/usr/bin/env python3
"""One measurement of one peer, in a process of its own; README.md has the protocol, which `taper-bench` follows too.

    python measure.py train --runtime pytorch --network FILE --data DIR --batch 100 --threads 2 --steps 600

The answer is one line of JSON on standard output.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUNTIMES = ["pytorch", "pytorch-channels-last", "pytorch-compile", "onnxruntime"]
WARM_UP = 3
# The most bytes of images that are held, a byte for each pixel and channel; the rule of README.md.
HELD_BYTES = 1 << 28


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["train", "infer"])
    parser.add_argument("--runtime", choices=RUNTIMES, required=True)
    parser.add_argument("--network", type=Path, required=True, help="a network file")
    parser.add_argument("--data", type=Path, required=True, help="folder of IDX files")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=600, help="steps that are timed, at most")
    parser.add_argument("--seconds", type=float, default=600, help="no step begins later than this")
    parser.add_argument("--rate", type=float, default=1e-3, help="Adam's learning rate")
    return parser.parse_args()


def timed(step: Callable[[int], object], steps: int, seconds: float) -> list[float]:
    """The seconds of each step, after a few that are not counted."""
    for number in range(WARM_UP if steps > 1 else 0):
        step(number)
    times = []
    start = time.perf_counter()
    while not times or (len(times) < steps and time.perf_counter() - start < seconds):
        begun = time.perf_counter()
        step(WARM_UP + len(times))
        times.append(time.perf_counter() - begun)
    return times


def images_for(options: argparse.Namespace, sizes: tuple[int, ...]):
    """Images as bytes, and labels: as many as are held, but at least a batch."""
    import images

    each = sizes[0] * sizes[1] * sizes[2]
    return images.prepare(options.data, sizes, max(options.batch, HELD_BYTES // each))


class Batches:
    """The images in a shuffled order, again and again; a batch is made within the step that needs it."""

    def __init__(self, options: argparse.Namespace, sizes: tuple[int, ...]):
        import torch

        images, labels = images_for(options, sizes)
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.size = options.batch
        self.each = max(len(images) // options.batch, 1)
        self.order = torch.randperm(len(images))

    def at(self, step: int):
        """Images in [0, 1] and labels."""
        import torch

        first = step % self.each * self.size
        chosen = self.order[first : first + self.size]
        return self.images[chosen].to(torch.float32).div_(255), self.labels[chosen]


def pytorch(options: argparse.Namespace) -> dict:
    """Training or inference in PyTorch."""
    import torch

    from network import read
    from torch_network import Network

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    description = read(options.network)
    network = Network(description)
    weights = options.network.with_suffix(".safetensors")
    if options.kind == "infer" and weights.exists():
        network.load(description, weights)
    batches = Batches(options, description.input)
    channels_last = options.runtime == "pytorch-channels-last"
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    run = torch.compile(network) if options.runtime == "pytorch-compile" else network
    optimizer = torch.optim.Adam(network.parameters(), lr=options.rate, foreach=True)
    losses: list[torch.Tensor] = []

    def inputs(number: int):
        images, labels = batches.at(number)
        return images.to(memory_format=torch.channels_last) if channels_last else images, labels

    def train(number: int):
        images, labels = inputs(number)
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(run(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())

    def infer(number: int):
        return run(inputs(number)[0])

    if options.kind == "train":
        times = timed(train, options.steps, options.seconds)
        last = torch.stack(losses[-max(len(losses) // 10, 1) :])
        return {"times": times, "loss": last.mean().item(), "version": torch.__version__}
    network.eval()
    with torch.inference_mode():
        return {"times": timed(infer, options.steps, options.seconds), "version": torch.__version__}


def onnxruntime(options: argparse.Namespace) -> dict:
    """Inference in ONNX Runtime. PyTorch only makes the weights; its process is measured elsewhere."""
    import numpy as np
    import onnxruntime as ort

    from network import read

    description = read(options.network)
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    model = options.network.with_suffix(".onnx").read_bytes()
    session = ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    images, _ = images_for(options, description.input)
    order = np.random.default_rng(0).permutation(len(images))
    each = max(len(images) // options.batch, 1)

    def infer(number: int):
        first = number % each * options.batch
        chosen = images[order[first : first + options.batch]].astype(np.float32) / 255
        return session.run(None, {"input": chosen})

    return {"times": timed(infer, options.steps, options.seconds), "version": ort.__version__}


def main() -> int:
    """Measure and answer."""
    options = arguments()
    result = onnxruntime(options) if options.runtime == "onnxruntime" else pytorch(options)
    times = result.pop("times")
    result |= {
        "images_per_second": options.batch * len(times) / sum(times),
        "step_ms_median": statistics.median(times) * 1e3,
        "step_ms_best": min(times) * 1e3,
        "steps": len(times),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
