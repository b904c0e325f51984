"""The report: a table of runtimes, from what they answered and nothing else."""

import dataclasses

from runtimes import Runtime

# The greatest difference of a logit that is let pass, as in Taper's own verification.
TOLERANCE = 1e-4
BATCHES = (1, 7, 1000)

HEAD = """\
# Runtimes

`cargo xtask runtimes RUN --all` wrote this file, and with `--append` each table after the first. The files are as `taper export`
wrote them: opset 17, format version 8, a symbolic batch. Each runtime answers test images, 1, 7 and 1,000 (or all) at a time. The
figures are the greatest differences of any logit from those of Taper's trained model; more than {tolerance:g} fails.
"""
SECTION = """
## {title}

The network is {network}; {images:,} test images of {size}.

"""
NOT_RUN = """
## Not run

What is known of runtimes that need another machine:

| runtime | what is known |
| --- | --- |
| TensorRT | 11 reads opsets 9 to 25, and its list has all operators of the file. A symbolic batch needs an optimisation profile (`trtexec --minShapes --optShapes --maxShapes`). It takes the padding of Taper's pools, which is explicit. |
| Core ML | coremltools reads no ONNX since version 6. ONNX Runtime's Core ML provider runs the file on Apple's machines. |
| Windows ML | The one that is part of Windows reads opsets up to 12, older than the file's. The one of the Windows App SDK is ONNX Runtime, and reads it. |
| burn-onnx | 0.22 turns a file into Rust code in a build script, and that code needs burn: 238 crates to compile, too many for a row of a command. |
"""


@dataclasses.dataclass
class Outcome:
    """What a runtime did with the file."""

    runtime: Runtime
    version: str | None = None
    missing: str | None = None  # why it is not there
    left_out: str | None = None  # why it is not asked
    loaded: bool = False
    differences: dict[int, float] = dataclasses.field(default_factory=dict)
    error: str | None = None  # what it said when it failed
    remarks: list[str] = dataclasses.field(default_factory=list)

    def hear(self, said: str) -> None:
        """Take in what its program printed: `version V`, `loaded`, `remark TEXT`; the rest is noise."""
        for line in said.splitlines():
            match line.split(maxsplit=1):
                case ["version", version]:
                    self.version = version
                case ["loaded"]:
                    self.loaded = True
                case ["remark", text]:
                    self.remarks.append(text)

    def worst(self) -> float:
        """The greatest difference at any batch size."""
        return max(self.differences.values(), default=float("inf"))

    def failure(self) -> str | None:
        """Why the command must fail for it: a wrong answer or none, but not its absence, unless it is required."""
        if self.left_out:
            return None
        if self.missing:
            return f"not installed: {self.missing}" if self.runtime.required else None
        if self.error or not self.loaded:
            return self.error or "it does not say that it loaded the file"
        # Written so that what is no number fails.
        return None if self.worst() <= TOLERANCE else f"differs by {self.worst():.1e}, more than {TOLERANCE:g}"


def line(outcome: Outcome) -> str:
    """For the terminal."""
    title = f"{outcome.runtime.name} {outcome.version or ''}".strip()
    if outcome.failure():
        return f"{title}: FAILED: {outcome.failure()}"
    if outcome.left_out:
        return f"{title}: left out: {outcome.left_out}"
    if outcome.missing:
        return f"{title}: not installed: {outcome.missing}"
    return f"{title}: ok, greatest difference {outcome.worst():.1e}"


def cell(text: str) -> str:
    """Text that stays inside its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def row(outcome: Outcome) -> str:
    """One runtime's row."""
    remarks = list(outcome.remarks)
    if outcome.left_out:
        loads, remarks = "left out", [outcome.left_out]
    elif outcome.missing:
        loads, remarks = "not installed", [outcome.missing]
    else:
        loads = "yes" if outcome.loaded else "**no**"
        remarks += [f"**{outcome.failure()}**"] if outcome.failure() else []
        remarks += [] if outcome.runtime.batched else ["one image at a time: it has no batch"]
    figures = [outcome.differences.get(batch) for batch in BATCHES]
    cells = [outcome.runtime.name, outcome.version or "–", loads]
    cells += ["–" if figure is None else f"{figure:.1e}" for figure in figures]
    return f"| {' | '.join(map(cell, [*cells, '; '.join(remarks)]))} |\n"


@dataclasses.dataclass(frozen=True)
class Network:
    """What was run."""

    title: str
    told: str  # what it is and was trained on
    images: int
    size: str  # of an image, such as `1x28x28`


def section(outcomes: list[Outcome], network: Network) -> str:
    """What is said of one network."""
    text = SECTION.format(title=network.title, network=network.told, images=network.images, size=network.size)
    heads = ["runtime", "version", "loads", *(f"batch {batch:,}" for batch in BATCHES), "remarks"]
    text += f"| {' | '.join(heads)} |\n| {' | '.join('---' for _ in heads)} |\n"
    return text + "".join(map(row, outcomes))


def write(outcomes: list[Outcome], network: Network, earlier: str | None = None) -> str:
    """The whole report; one that is there already gets one more table, or its own anew."""
    head, sections = HEAD.format(tolerance=TOLERANCE), []
    if earlier is not None:
        if not (earlier.startswith(head) and earlier.endswith(NOT_RUN)):
            raise SystemExit("the report to append to is not one of this version; write it anew, without --append")
        parts = earlier.removeprefix(head).removesuffix(NOT_RUN).split("\n## ")[1:]
        sections = [f"\n## {part}" for part in parts if not part.startswith(f"{network.title}\n")]
    return head + "".join([*sections, section(outcomes, network)]) + NOT_RUN
