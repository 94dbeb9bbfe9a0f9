"""Put the tables that `python -m tests.benchmarks` printed into docs/benchmarks.md.

``python -m tests.benchmarks > FILE`` and then ``python -m tests.benchmarks.page FILE ...``. A table stands behind a
comment with its name, in the output and on the page: ``<!-- table: lasso -->``. Of tables that several files have the
last one counts; tables that no file has stay as they are, and are named.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
# A comment with a name, then lines of a table, maybe inside of a dropdown.
TABLE = re.compile(r"(<!-- table: (\S+) -->\n(?:::::\{dropdown\}.*\n)?\n?)((?:\|.*\n)+)")


def tables(text):
    """The lines of each table of a text, by name."""
    return {name: lines for _, name, lines in TABLE.findall(text)}


def replaced(page, found):
    """The page with the tables that were found."""
    return TABLE.sub(lambda match: match[1] + found.get(match[2], match[3]), page)


def main():
    """Read the files and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what python -m tests.benchmarks printed")
    found = {}
    for file in parser.parse_args().files:
        found |= tables(file.read_text())
    page = PAGE.read_text()
    lacking = found.keys() - tables(page).keys()
    if lacking:
        sys.exit(f"{PAGE.name} has no place for {', '.join(sorted(lacking))}")
    PAGE.write_text(replaced(page, found))
    print("not replaced:", ", ".join(sorted(tables(page).keys() - found.keys())) or "none")


if __name__ == "__main__":
    main()
