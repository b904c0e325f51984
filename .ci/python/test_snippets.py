"""Tests of snippets.py."""

import pathlib
import tempfile
import unittest

import snippets

TEXT = """\
# Page

```python
open("model.onnx").read()
```

```sh
false
```

```js
throw new Error("bad");
```
"""


class Blocks(unittest.TestCase):
    def test_finds_what_can_be_run_and_where(self):
        found = [(language, line) for language, line, _ in snippets.blocks(TEXT)]
        self.assertEqual(found, [("python", 3), ("js", 11)])


class Runs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.run_folder = self.folder / "run"
        self.run_folder.mkdir()
        (self.run_folder / "model.onnx").write_text("x")

    def outcome(self, code, language="python"):
        return snippets.run_block(language, code, self.run_folder, self.folder)

    def test_runs_in_the_folder_of_the_run(self):
        self.assertEqual(self.outcome('open("model.onnx").read()'), (None, False))

    def test_leaves_the_run_as_it_is(self):
        self.outcome('open("model.onnx", "w").write("y")')
        self.assertEqual((self.run_folder / "model.onnx").read_text(), "x")

    def test_an_example_that_fails_is_told(self):
        why, left_out = self.outcome("assert 1 == 2, 'no'")
        self.assertIn("no", why)
        self.assertFalse(left_out)

    def test_a_missing_optional_package_is_no_failure(self):
        line = "raise ModuleNotFoundError(\"No module named 'openvino'\")"
        self.assertEqual(self.outcome(line), ("openvino is not installed", True))

    def test_a_wrong_import_is_a_failure(self):
        self.assertFalse(self.outcome("import no_such_package")[1])
        self.assertFalse(self.outcome("import json.nothere")[1])

    def test_what_is_left_out_fails_where_all_is_asked_for(self):
        page = self.folder / "page.md"
        page.write_text("```python\npass\n```\n```js\n1;\n```\n")
        words = [str(self.run_folder), str(self.folder), str(page)]
        self.assertEqual(snippets.main(words), 0)
        self.assertEqual(snippets.main(["--all", *words]), 1)

    def test_without_packages_for_node_its_examples_are_left_out(self):
        self.assertTrue(self.outcome("1;", "js")[1])

    def test_a_page_that_fails_fails_the_command(self):
        page = self.folder / "page.md"
        page.write_text("```python\nassert False\n```\n")
        self.assertEqual(snippets.main([str(self.run_folder), str(self.folder), str(page)]), 1)


if __name__ == "__main__":
    unittest.main()
