"""The runtimes of the matrix: what each needs, how it is installed, and how it is called."""

import dataclasses
import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A reader of Taper's files."""

    name: str
    call: str  # the word by which the program that runs it knows it
    host: str  # `python`, `web`, `answers` (the example of taper-export) or `tract`
    required: bool = False  # part of the quick run, which must not lack it
    packages: tuple[str, ...] = ()  # from PyPI, at the versions of requirements.txt
    crate: str = ""  # whose version the lock file beside its program says
    batched: bool = True  # takes more than one image at a time
    reference_only: bool = False  # reads weights into the reference CNN, and no other network
    remark: str = ""


RUNTIMES = (
    Runtime("ONNX Runtime", "onnxruntime", "python", required=True),
    Runtime("rten", "rten", "answers", required=True, crate="rten", remark="verifies every export"),
    Runtime("candle-onnx", "candle-onnx", "answers", required=True, crate="candle-onnx"),
    Runtime("ONNX Runtime Web", "onnxruntime-web", "web", remark="in Node, its WebAssembly"),
    Runtime("OpenVINO", "openvino", "python", packages=("openvino",)),
    Runtime("tract", "tract", "tract", crate="tract-onnx"),
    Runtime("OpenCV DNN", "opencv", "python", packages=("opencv-python-headless",)),
    Runtime("ncnn through pnnx", "ncnn", "python", packages=("ncnn", "pnnx"), batched=False),
    Runtime("PyTorch", "pytorch", "python", packages=("torch",), reference_only=True),
)


def pins(requirements: Path) -> dict[str, str]:
    """The version of each package that a requirements file names."""
    lines = (line.split("#")[0].strip() for line in requirements.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def locked(crate: str, lock: Path) -> str | None:
    """The version of a crate in a Cargo.lock."""
    packages = tomllib.loads(lock.read_text())["package"]
    return next((package["version"] for package in packages if package["name"] == crate), None)


def version(runtime: Runtime) -> str | None:
    """The version, where a lock file decides it; the program itself says it otherwise."""
    locks = {"answers": ROOT / "Cargo.lock", "tract": HERE / "Cargo.lock"}
    return locked(runtime.crate, locks[runtime.host]) if runtime.host in locks else None


def installation(runtime: Runtime, work: Path) -> tuple[list[str], Path] | None:
    """The command that installs it, and the folder to call it in; nothing for what is there already."""
    if runtime.host == "web":
        return ["npm", "ci", "--silent", "--no-audit", "--no-fund"], work / "web"
    if runtime.host == "tract":
        cargo = [os.environ.get("CARGO", "cargo"), "build", "--locked"]
        return [*cargo, "--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", str(work / "tract")], HERE
    if runtime.packages:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        return [*pip, "--constraint", str(HERE / "requirements.txt"), *runtime.packages], HERE
    return None


def program(runtime: Runtime, work: Path, answers: Path) -> list[str]:
    """What runs it; the arguments of the protocol follow."""
    hosts = {
        "python": [sys.executable, str(HERE / "answer.py"), runtime.call],
        "web": ["node", str(work / "web" / "answer.mjs")],
        "answers": [str(answers), runtime.call],
        "tract": [str(work / "tract" / "debug" / "taper-runtimes")],
    }
    return hosts[runtime.host]
