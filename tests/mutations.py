"""Break the library in one place after another, and see that the tests notice each.

``python -m tests.mutations`` makes each change of ``mutations.toml`` in a copy of the sources, one at a time, builds
the kernel again that includes it, and runs the test files of the change until one test fails. What no test notices
within five minutes has survived: it needs a test. ``--only 3 17`` runs some rows of the file, by their numbers.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Seconds for one change, its build not counted.
LIMIT = 300.0


def mutations():
    """The rows of the table."""
    with (ROOT / "tests" / "mutations.toml").open("rb") as file:
        return tomllib.load(file)["mutation"]


def mutated(row):
    """The text of the row's file with its change; a ValueError where the line is not there exactly once."""
    text = (ROOT / row["file"]).read_text()
    number = text.count(row["old"])
    if number != 1:
        raise ValueError(f"{row['breaks']}: {row['file']} has the line {number} times, and not once: {row['old']!r}")
    return text.replace(row["old"], row["new"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of rows, from 1")
    chosen = parser.parse_args().only
    rows = [(k, row) for k, row in enumerate(mutations(), 1) if chosen is None or k in chosen]
    with tempfile.TemporaryDirectory() as folder:
        place = _copied(Path(folder))
        files = sorted({test for _, row in rows for test in row["tests"]})
        failed = _failed(place, files, None)
        if failed is not None:
            sys.exit(f"{failed} fails without any change: nothing can be told")
        survived = [k for k, row in rows if not _is_noticed(place, k, row)]
    print(f"{len(rows) - len(survived)} of {len(rows)} changes were noticed", flush=True)
    if survived:
        sys.exit(f"survived: {survived}")


def _is_noticed(place, k, row):
    """Whether a test fails with the change; prints which one, and after how many seconds."""
    target, whole = place / row["file"], (place / row["file"]).read_text()
    try:
        target.write_text(mutated(row))
        _rebuild(place, row["file"])
        began = time.monotonic()
        failed = _failed(place, row["tests"], LIMIT)
    finally:
        target.write_text(whole)
        _rebuild(place, row["file"])
    print(f"{k:3} {time.monotonic() - began:5.0f} s  {row['breaks']}: {failed or 'SURVIVED'}", flush=True)
    return failed is not None


def _copied(place):
    """A copy of the package and its tests, kernels built in place."""
    for name in ("ladreg", "tests", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "_build", "*.so"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, place)
    _build(place)
    return place


def _rebuild(place, file):
    """Build the kernels that a changed file belongs to."""
    if Path(file).suffix in {".pyx", ".h"}:
        os.utime(place / file)
        _build(place)


def _build(place):
    command = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)


def _failed(place, tests, limit):
    """The first test that fails, or that it did not end; None where all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "--tb=no", "-p", "no:cacheprovider"]
    command += [f"tests/{name}" for name in tests]
    environment = {**os.environ, "PYTHONPATH": str(place), "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    try:
        ended = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode == 0:
        return None
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", ended.stdout, flags=re.M)
    return found[1] if found else f"pytest ended with code {ended.returncode}"


if __name__ == "__main__":
    main()
