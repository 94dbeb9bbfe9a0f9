"""The table of mutations names lines that are there, and tests that are there."""

import pytest

from tests.mutations import ROOT, mutated, mutations

ROWS = mutations()


def test_there_are_sixty_mutations_at_least():
    assert len({row["breaks"] for row in ROWS}) == len(ROWS) >= 60


@pytest.mark.parametrize("row", ROWS, ids=[row["breaks"] for row in ROWS])
def test_the_line_is_there_once(row):
    assert mutated(row) != (ROOT / row["file"]).read_text()
    assert all((ROOT / "tests" / name).is_file() for name in row["tests"])
