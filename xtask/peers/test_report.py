"""The report says what was measured, and no more."""

import argparse
import datetime
import sys
import unittest
from pathlib import Path

import compare
import machine
import measure
import report
from cases import Case, select


def case(**changes: object) -> Case:
    """A case of training."""
    known = {"section": "training", "name": "net", "kind": "train", "network": "n", "batch": 100, "threads": 2}
    known |= {"contenders": ("taper", "pytorch"), "steps": 9, "seconds": 1.0, "rounds": 2}
    return Case(**(known | changes))


def result(rate: float, **more: object) -> dict:
    """A measurement."""
    return {"images_per_second": rate, "step_ms_median": 1e5 / rate, "peak_memory_mib": 99.0, "steps": 9, **more}


class Report(unittest.TestCase):
    def test_figures_are_medians_with_the_best_in_brackets_and_ratios_are_of_medians(self):
        measured = [
            (
                case(),
                {
                    "taper": [result(7000, loss=0.2), result(8000, loss=0.2), result(6000, loss=0.2)],
                    "pytorch": [result(1000, version="2.15"), result(1500), result(900)],
                    "pytorch-compile": [{"error": "no compiler"}],
                },
            )
        ]
        text = report.write(measured, [("Processor", "P")], datetime.date(2026, 1, 2), "cargo xtask peers")
        self.assertIn("| Taper | 7,000 (8,000) | 14.3 (12.5) | 9 | 0.200 (0.200) | 99.0 (99.0) | 7.00× |\n", text)
        self.assertIn("| PyTorch | 1,000 (1,500) | 100 (66.7) | 9 | – | 99.0 (99.0) | 1.00× |\n", text)
        self.assertIn("| PyTorch, torch.compile | – | – | – | – | – | – |\n", text)
        self.assertIn("- PyTorch, torch.compile: no compiler (training, net)\n", text)
        for row in ["| Date | 2026-01-02 |", "| Processor | P |", "| PyTorch | 2.15 |"]:
            self.assertIn(row, text)

    def test_a_grid_compares_with_the_best_rival(self):
        scaling = case(section="scaling")
        rates = {"taper": [result(600)], "pytorch": [result(200)], "pytorch-channels-last": [result(300)]}
        text = report.grid([(scaling, rates)], "images_per_second", max)
        self.assertIn("| net | 600 | 200 | 300 | 2.00× |", text)
        slower = {"taper": [result(50)], "pytorch": [result(200)]}
        self.assertIn("| net | 2,000 | 500 | 0.25× |", report.grid([(scaling, slower)], "step_ms_median", min))
        more = rates | {"tract": [result(400)]}
        text = report.grid([(scaling, more)], "images_per_second", max)
        self.assertIn("| net | 600 | 200 | 300 | 400 | 2.00× | 1.50× |", text)

    def test_a_run_without_taper_has_no_ratios(self):
        text = report.grid([(case(), {"pytorch": [result(200)]})], "images_per_second", max)
        self.assertIn("| net | 200 | – |", text)


class Comparison(unittest.TestCase):
    def options(self) -> argparse.Namespace:
        return argparse.Namespace(
            taper_bench=Path("bench"),
            tract_bench=None,
            tract_missing="tract is away",
            work=Path("work"),
            data_dir=Path("data"),
        )

    def test_taper_and_its_peers_get_the_same_settings(self):
        taper = compare.command(case(), "taper", self.options())
        other = compare.command(case(), "pytorch", self.options())
        self.assertEqual(taper[:2], ["bench", "train"])
        self.assertEqual(other[3:5], ["--runtime", "pytorch"])
        self.assertEqual(taper[2:], other[5:])
        self.assertIn(str(Path("work/networks/n.toml")), taper)
        engine = compare.command(case(), "rten", self.options())
        self.assertEqual(engine[:4], ["bench", "train", "--engine", "rten"])
        self.assertEqual(engine[4:], taper[2:])

    def test_a_measurement_is_the_last_line_with_memory_and_time_or_an_error(self):
        def python(code: str) -> dict:
            return compare.measure([sys.executable, "-c", code], 3)

        found = python("print('noise'); print('{\"steps\": 3}')")
        self.assertEqual(found["steps"], 3)
        self.assertGreater(found["peak_memory_mib"], 1)
        self.assertGreater(found["process_seconds"], 0)
        self.assertEqual(python("raise SystemExit('it broke')"), {"error": "it broke"})
        self.assertIn("exit code -9", python("import os; os.kill(os.getpid(), 9)")["error"])
        self.assertIn("no JSON", python("print('hello')")["error"])
        threads = python("import os; print('{\"steps\":', os.environ['RAYON_NUM_THREADS'], '}')")
        self.assertEqual(threads["steps"], 3)

    def test_memory_is_the_programs_own(self):
        held = bytearray(300 << 20)
        held[::4096] = bytes([1]) * len(held[::4096])
        peak = compare.measure([sys.executable, "-S", "-E", "-c", "print('{}')"], 1)["peak_memory_mib"]
        self.assertLess(peak, 100)
        with_memory = "held = bytearray(200 << 20); held[::4096] = b'1' * len(held[::4096]); print('{}')"
        peak = compare.measure([sys.executable, "-S", "-E", "-c", with_memory], 1)["peak_memory_mib"]
        self.assertGreater(peak, 190)

    def test_contenders_take_turns_and_one_that_failed_is_not_called_again(self):
        called: list[str] = []

        def fake(words: list[str], threads: int) -> dict:
            self.assertEqual(threads, 2)
            name = "taper" if words[0] == "bench" else words[4]
            called.append(name)
            return {"error": "no"} if name == "pytorch" else result(1)

        original, compare.measure = compare.measure, fake
        try:
            found = compare.in_turn(case(), self.options())
        finally:
            compare.measure = original
        self.assertEqual(called, ["taper", "pytorch", "taper"])
        self.assertEqual([len(results) for results in found.values()], [2, 1])

    def test_tract_that_was_not_built_is_told_and_what_was_built_with_taper_goes_with_it(self):
        contenders = case(contenders=("candle", "tract"))
        options = self.options()
        options.taper_bench = None
        self.assertEqual(compare.in_turn(contenders, options), {"tract": [{"error": "tract is away"}]})
        options.tract_bench = Path("tract")
        self.assertEqual(compare.command(contenders, "tract", options)[:2], ["tract", "train"])

    def test_every_contender_has_a_name_in_the_report(self):
        names = {name for item in select(None, 2, quick=False) for name in item.contenders}
        self.assertEqual(names - report.NAMES.keys(), set())

    def test_the_rule_of_held_images_is_one(self):
        bench = (compare.ROOT / "benches/src/bin/taper-bench/feed.rs").read_text(encoding="utf-8")
        self.assertEqual(measure.HELD_BYTES, 1 << 28)
        self.assertIn("const HELD_BYTES: usize = 1 << 28;", bench)
        self.assertIn("2²⁸ bytes", (compare.HERE / "README.md").read_text(encoding="utf-8"))

    def test_every_section_can_be_chosen_alone(self):
        names = [item.section for item in select(None, 2, quick=False)]
        self.assertEqual(set(names), {"training", "inference", "start-up", "scaling"})
        self.assertEqual({item.section for item in select("scaling", 2, quick=True)}, {"scaling"})
        self.assertEqual(len(select("inference", 1, quick=True)), 4)


class Machine(unittest.TestCase):
    def test_lscpu_is_read(self):
        fields = machine.parse_lscpu("Model name:   A CPU: fast\nL2 cache: 1 MiB\nnothing\n")
        self.assertEqual(fields, {"Model name": "A CPU: fast", "L2 cache": "1 MiB"})


if __name__ == "__main__":
    unittest.main()
