"""The comparison with onnx passes the true rows and catches wrong ones: `python -m unittest` in this folder."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import operator_table

FLOATS = [1, 10, 11]


def rows() -> dict:
    """Selu and Gelu as onnx defines them."""
    settings = {"alpha": [1, False], "gamma": [1, False]}
    selu = {str(v): {"attributes": settings, "types": FLOATS + [16] * (v == 22)} for v in range(12, 23)}
    gelu = {str(v): {"attributes": {"approximate": [3, False]}, "types": [*FLOATS, 16]} for v in range(20, 23)}
    return {
        "Selu": {"versions": [6, 22], "inputs": [1, 1], "sets": selu},
        "Gelu": {"versions": [20], "inputs": [1, 1], "sets": gelu},
    }


class OperatorTable(unittest.TestCase):
    def check(self, table: dict) -> tuple[int, str]:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()) as out,
            contextlib.redirect_stderr(io.StringIO()) as err,
        ):
            path = Path(folder, "results.json")
            path.write_text(json.dumps({"operators": table}))
            code = operator_table.main([str(path)])
        return code, out.getvalue() + err.getvalue()

    def test_true_rows_pass(self):
        code, text = self.check(rows())
        self.assertEqual(code, 0, text)
        self.assertIn("2 operators in sets 12 to 22, 0 differences", text)

    def test_every_difference_is_told(self):
        changes = [
            (lambda row: row.update(versions=[6]), "changed in [6], in onnx in [6, 22]"),
            (lambda row: row.update(inputs=[1, 2]), "takes [1, 2] inputs"),
            (lambda row: row["sets"].pop("15"), "is not in set 15"),
            (lambda row: row["sets"]["15"].update(types=[1]), "and not ['double', 'float16']"),
            (lambda row: row["sets"]["21"].update(types=[*FLOATS, 16]), "takes ['bfloat16']"),
            (lambda row: row["sets"]["15"].update(attributes={}), "Selu in 15: settings {}"),
        ]
        for change, words in changes:
            with self.subTest(words):
                table = json.loads(json.dumps(rows()))
                change(table["Selu"])
                code, text = self.check(table)
                self.assertEqual(code, 1, text)
                self.assertIn(words, text)

    def test_an_empty_table_fails(self):
        self.assertEqual(self.check({})[0], 1)

    def test_wrong_usage(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(operator_table.main([]), 2)


if __name__ == "__main__":
    unittest.main()
