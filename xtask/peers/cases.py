"""What is measured: a list of cases, each with the contenders that can run it."""

from dataclasses import dataclass

TAPER = "taper"
PYTORCH = ["pytorch", "pytorch-channels-last"]
# Run by taper-bench too: taper's layers under candle's autograd, candle alone, and rten.
ENGINES = ["taper-layers", "candle", "rten"]
TRACT = "tract"
SECTIONS = ["training", "inference", "scaling"]


@dataclass(frozen=True)
class Case:
    """One row of a table: the same work for every contender."""

    section: str
    name: str
    kind: str
    network: str
    batch: int
    threads: int
    contenders: tuple[str, ...]
    steps: int
    seconds: float
    rounds: int
    rate: float = 1e-3


def training(threads: int, quick: bool) -> list[Case]:
    """The reference CNN, batch 100, for as many steps as one epoch and five epochs of MNIST have, or as many as there is
    time for: PyTorch's speed does not change from step to step. Compiling takes PyTorch a minute before the first."""

    def case(name: str, contenders: tuple[str, ...], steps: int, seconds: float, rounds: int, rate=1e-3) -> Case:
        steps, seconds, rounds = (10, 10.0, 1) if quick else (steps, seconds, rounds)
        return Case("training", name, "train", "tutorial", 100, threads, contenders, steps, seconds, rounds, rate)

    five, two = "Reference CNN, at most five epochs", (TAPER, "pytorch-channels-last")

    return [
        case("Reference CNN, at most an epoch", (TAPER, "taper-layers", *PYTORCH, "candle"), 600, 30.0, 2),
        case(five, two, 3000, 60.0, 2),
        # The peak of the recipe `fast`. The more an activation is 0, the less Taper has to do.
        case(f"{five}, learning rate 4·10⁻³", two, 3000, 60.0, 1, 4e-3),
        case("Reference CNN, compiled", (TAPER, "pytorch-compile"), 300, 20.0, 1),
    ]


def inference(threads: int, quick: bool) -> list[Case]:
    """The reference CNN, from one image at a time to a thousand; and the time until the first answer."""
    contenders = (TAPER, *PYTORCH, "onnxruntime", "rten", TRACT, "candle")
    seconds, rounds = 5.0, 1 if quick else 2
    cases = []
    for batch, steps in [(1, 2000), (100, 200), (1000, 20)]:
        count = min(steps, 5) if quick else steps
        for n in sorted({1, threads}):
            name = f"batch {batch}, threads {n}"
            cases.append(Case("inference", name, "infer", "tutorial", batch, n, contenders, count, seconds, rounds))
    cases.append(Case("start-up", "one image", "infer", "tutorial", 1, threads, contenders, 1, 60, rounds))
    return cases


def scaling(threads: int, quick: bool) -> list[Case]:
    """Training as batch, threads, image and width grow, and two deeper networks."""
    contenders = (TAPER, *PYTORCH)
    steps, seconds, rounds = (2, 2.0, 1) if quick else (200, 2.0, 1)
    series = [
        (f"batch {batch}, threads {n}", "tutorial", batch, n)
        for n in sorted({1, threads})
        for batch in [1, 8, 32, 128, 512, 4096]
    ]
    series += [(f"image {size}×{size}, batch 20", f"size-{size}", 20, threads) for size in [28, 56, 112, 224]]
    series += [(f"width ×{factor}, batch 100", f"width-{factor}", 100, threads) for factor in [1, 2, 4]]
    series += [("VGG-like, 32×32 RGB, batch 100", "vgg", 100, threads)]
    series += [("ResNet-20, 32×32 RGB, batch 100", "resnet", 100, threads)]
    return [
        Case("scaling", name, "train", network, batch, n, contenders, steps, seconds, rounds)
        for name, network, batch, n in series
    ]


def select(only: str | None, threads: int, quick: bool) -> list[Case]:
    """The cases of one section, or of all."""
    sections = {"training": training, "inference": inference, "scaling": scaling}
    chosen = [only] if only else SECTIONS
    return [case for section in chosen for case in sections[section](threads, quick)]
