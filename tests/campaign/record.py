"""Records of a campaign: what each piece of integers showed, as JSON lines that say which commit it was.

``python -m tests.campaign --problems 100000 --seed 7 --record FILE`` appends a line for each piece, and goes on where
the file ends if it is called again. ``python -m tests.campaign.record FILE ...`` sums records of one commit;
``--write`` puts the sum into the table of ``docs/faults_tests.rst``. An integer at which a process ended counts as a
complaint, and the rest of its piece is judged by another process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import ladreg
from tests.campaign.table import COLUMNS, Tally, told

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults_tests.rst"
BEGIN, END = ".. begin of the campaign's table\n", ".. end of the campaign's table\n"
HEADINGS = (
    "problems",
    "told (warning)",
    "refused (error)",
    "comparisons",
    "disagreements",
    "complaints of the judge",
    "proof too rough, not told",
    "stray warnings, errors",
)


def commit():
    """The commit of the package and of the campaign; a ValueError where files of them differ from it."""
    git = ["git", "-C", str(ROOT)]
    changed = _said([*git, "status", "--porcelain", "--", "ladreg", "tests/campaign"])
    if changed:
        raise ValueError(f"a record is of one commit, and these files differ from it:\n{changed}")
    return _said([*git, "rev-parse", "HEAD"])


def _said(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Record:
    """A file of one commit's pieces, which grows."""

    def __init__(self, path, commit):
        self.path, self.commit = Path(path), commit
        lines = read([path]) if self.path.exists() else []
        other = {line["commit"] for line in lines} - {commit}
        if other:
            raise ValueError(f"{path} is the record of {', '.join(sorted(other))}, not of {commit}")
        self.ends = {line["first"]: line["last"] for line in lines}

    def left(self, pieces):
        """What is not recorded yet of the pieces."""
        found = []
        for first, last in pieces:
            while first in self.ends:
                first = self.ends[first]
            if first < last:
                found.append((first, last))
        return found

    def add(self, piece, verdicts):
        """Append the line of a piece."""
        tally = Tally()
        for verdict in verdicts:
            tally.add(verdict)
        line = {
            "version": ladreg.__version__,
            "commit": self.commit,
            "first": piece[0],
            "last": piece[1],
            "counts": {name: {key: count[key] for key in COLUMNS} for name, count in sorted(tally.counts.items())},
            "complaints": [told(verdict) for verdict in tally.failures],
        }
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.ends[piece[0]] = piece[1]


def read(paths):
    """The lines of the files."""
    return [json.loads(line) for path in paths for line in Path(path).read_text().splitlines()]


def summed(lines):
    """Counts of each estimator, and the complaints; a ValueError for several commits, or integers that occur twice."""
    commits = {line["commit"] for line in lines}
    if len(commits) != 1:
        raise ValueError(f"records of one commit can be summed, these are of {sorted(commits)}")
    ordered = sorted(lines, key=lambda line: line["first"])
    for before, after in pairwise(ordered):
        if after["first"] < before["last"]:
            raise ValueError(f"the integers from {after['first']} on are counted twice")
    tally, complaints = Tally(), []
    for line in ordered:
        for name, count in line["counts"].items():
            tally.counts.setdefault(name, Counter()).update(count)
        complaints += line["complaints"]
    return tally, complaints


def ranges(lines):
    """The integers that were judged, as (first, last + 1) of each range without gaps."""
    found = []
    for first, last in sorted((line["first"], line["last"]) for line in lines):
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def page_table(lines):
    """The table of the docs: version, commit and integers, then the counts."""
    tally, complaints = summed(lines)
    version, commit = lines[0]["version"], lines[0]["commit"]
    said = ", ".join(f"{first} to {last - 1}" for first, last in ranges(lines))
    rows = [("estimator", *HEADINGS)]
    rows += [(name, *(f"{count[key]:,}" for key in COLUMNS)) for name, count in sorted(tally.counts.items())]
    rows.append(("total", *(f"{tally.total[key]:,}" for key in COLUMNS)))
    text = [f"Version {version}, commit ``{commit}``, integers {said}; {len(complaints)} complaints:\n"]
    text += [".. list-table::", "   :header-rows: 1\n"]
    text += ["   " + ("  " if k else "* ") + f"- {cell}" for row in rows for k, cell in enumerate(row)]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.record", description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    lines = read(options.files)
    table = page_table(lines)
    print(table, *summed(lines)[1], sep="\n")
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    sys.exit(main())
