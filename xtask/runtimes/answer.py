#!/usr/bin/env python3
"""Run a network in one of the runtimes that Python calls, and leave its answers.

    python answer.py RUNTIME MODEL.onnx IMAGES.f32 SIZES OUT BATCH...

See README.md for the protocol.
"""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

Network = Callable[[np.ndarray], np.ndarray]


def onnxruntime(model: Path, _: list[int]) -> Network:
    import onnxruntime as library

    options = library.SessionOptions()
    options.log_severity_level = 3  # errors
    session = library.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def openvino(model: Path, _: list[int]) -> Network:
    import openvino as library

    # Where the processor has bfloat16, OpenVINO would compute in it.
    compiled = library.Core().compile_model(str(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: compiled(images)[0]


def opencv(model: Path, _: list[int]) -> Network:
    import cv2

    network = cv2.dnn.readNetFromONNX(str(model))

    def run(images: np.ndarray) -> np.ndarray:
        network.setInput(images)
        return network.forward()

    return run


def ncnn(model: Path, sizes: list[int]) -> Network:
    """pnnx turns the file into ncnn's own two, for one image; it writes beside its input, so it gets a copy."""
    import ncnn as library

    folder = Path.cwd()
    (folder / "model.onnx").write_bytes(model.read_bytes())
    data = model.with_name(f"{model.name}.data")  # large constants, which the model knows by that name
    if data.exists():
        (folder / data.name).write_bytes(data.read_bytes())
    shape = ",".join(map(str, [1, *sizes]))
    # Weights in float16 are its default.
    words = ["pnnx", "model.onnx", f"inputshape=[{shape}]", "fp16=0"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"pnnx: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    network = library.Net()
    options = ["use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"]
    for option in options:
        setattr(network.opt, option, False)
    network.load_param(str(folder / "model.ncnn.param"))
    network.load_model(str(folder / "model.ncnn.bin"))
    print(f"remark converted by pnnx {importlib.metadata.version('pnnx')} for one image, float16 turned off")

    def run(images: np.ndarray) -> np.ndarray:
        extractor = network.create_extractor()
        extractor.input("in0", library.Mat(images[0]).clone())
        return np.array(extractor.extract("out0")[1])[None]

    return run


def pytorch(model: Path, _: list[int]) -> Network:
    """Reads the weights beside the ONNX file, which it cannot read."""
    import torch
    from safetensors.torch import load_file

    from reference_cnn import ReferenceCnn

    network = ReferenceCnn().eval()
    network.load_state_dict(load_file(model.with_suffix(".safetensors")), strict=True)
    print("remark reads `model.safetensors`, by `load_state_dict(strict=True)`; it reads no ONNX")

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return run


# The function that loads a network, and the package whose version is told.
RUNTIMES = {
    "onnxruntime": (onnxruntime, "onnxruntime"),
    "openvino": (openvino, "openvino"),
    "opencv": (opencv, "opencv-python-headless"),
    "ncnn": (ncnn, "ncnn"),
    "pytorch": (pytorch, "torch"),
}


def main() -> None:
    """Load, and answer at every batch size."""
    name, model, images, sizes, out, *batches = sys.argv[1:]
    sizes = [int(size) for size in sizes.split(",")]
    pixels = np.fromfile(images, np.float32).reshape(-1, *sizes)
    load, package = RUNTIMES[name]
    print("version", importlib.metadata.version(package))
    network = load(Path(model).resolve(), sizes)
    print("loaded", flush=True)
    for batch in map(int, batches):
        answers = [network(pixels[start : start + batch]) for start in range(0, len(pixels), batch)]
        np.concatenate(answers).astype(np.float32).tofile(Path(out) / f"{batch}.f32")


if __name__ == "__main__":
    main()
