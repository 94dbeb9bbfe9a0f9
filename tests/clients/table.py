"""The rows of the table of other libraries: what they are called, what is tried, what to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "clients.rst"
TABLE = PAGE.with_suffix(".inc")


@dataclass(frozen=True)
class Row:
    """A library, with a function that raises an error unless all that is said of it is true."""

    name: str
    packages: tuple[str, ...]
    works: str
    remark: str
    run: Callable[[], None]

    def versions(self) -> dict[str, str]:
        """The versions of its packages that are installed."""
        return {package: version(package) for package in self.packages}

    def tried(self) -> str:
        """The versions that the row holds for; an error where it does not hold."""
        self.run()
        return ", ".join(self.versions().values())


ROWS: list[Row] = []


def row(name: str, *packages: str, works: str, remark: str = "") -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Add a function to the table: `works` says what it tries, `remark` what is to be passed or theirs to mend."""

    def add(run: Callable[[], None]) -> Callable[[], None]:
        ROWS.append(Row(name, packages, works, remark, run))
        return run

    return add


def filled() -> list[Row]:
    """The rows, in the order of the table, whichever module was imported first."""
    modules = ["tests.clients.fitted_models", "tests.clients.estimators"]
    for name in modules:
        import_module(name)
    return sorted(ROWS, key=lambda one: modules.index(one.run.__module__))


def rendered(rows: list[tuple[Row, dict[str, str]]]) -> str:
    """The table in reStructuredText, of rows and the versions of packages that they were tried with."""
    lines = [".. Written by `python -m tests.clients --write`.", "", ".. list-table::", "   :header-rows: 1"]
    lines += ["   :widths: 22 40 38", ""]
    cells = [("Library", "What works", "To know")]
    for one, versions in rows:
        several = len(versions) > 1
        tried = ", ".join(f"{package} {number}" if several else number for package, number in versions.items())
        cells.append((f"**{one.name}**{':' if several else ''} {tried}", one.works, one.remark))
    for line in cells:
        lines += [f"   {mark} {cell}".rstrip() for mark, cell in zip(("* -", "  -", "  -"), line, strict=True)]
    return "\n".join(lines) + "\n"
