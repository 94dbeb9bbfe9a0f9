"""Draw the charts of docs/benchmarks.md from its tables: python docs/make_benchmark_pictures.py."""

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from make_speed_picture import draw_rows

HERE = Path(__file__).parent
# Colour and marker of a solver.
SOLVERS = {
    "Lasso": ("#D55E00", "o"),
    "lasso_path": ("#D55E00", "o"),
    "lasso_path with Gram matrix": ("#D55E00", "P"),
    "LassoLars": ("#A8497F", "s"),
    "lars_path": ("#A8497F", "s"),
    "celer": ("#009E73", "^"),
    "skglm": ("#B88A00", "v"),
    "adelie": ("#56B4E9", "D"),
    "scm2cpp-learn": ("0.5", "X"),
    "glmnet": ("0.2", "*"),
}


def ratios(fastest: str, ratio: str, others: str) -> dict[str, float]:
    """Times of solvers in units of ladreg's, from the last three cells of a row."""
    found = {fastest: float(ratio)} if re.fullmatch(r"[\d.]+", ratio) else {}
    pairs = (re.fullmatch(r"(.+) ([\d.]+)", one.strip()) for one in others.split(", "))
    return found | {pair[1]: float(pair[2]) for pair in pairs if pair}


def rows_of(section: str, cells: int) -> list[tuple[str, str, dict[str, float]]]:
    """Problem, gap and ratios of the rows of the first table of a section."""
    text = (HERE / "benchmarks.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)[0].splitlines()[2:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(", ".join(row[: cells - 5]), row[cells - 5], ratios(*row[cells - 3 :])) for row in table]


def draw_ratios(rows: list[tuple[str, str, dict[str, float]]], title: str, file: str) -> None:
    """A row of points for each problem; a panel for each gap."""
    gaps = list(dict.fromkeys(gap for _, gap, _ in rows))
    problems = list(dict.fromkeys(problem for problem, _, _ in rows))
    figure, panels = plt.subplots(
        1, len(gaps), figsize=(10, 1.7 + 0.27 * len(problems)), layout="constrained", sharex=True, sharey=True
    )
    handles: dict[str, Any] = {}
    for axes, gap in zip(panels, gaps, strict=True):
        for problem, which, times in rows:
            for solver, time in times.items() if which == gap else ():
                colour, marker = SOLVERS[solver]
                (handles[solver],) = axes.plot(
                    time, problems.index(problem), marker, color=colour, ms=7, mec="white", mew=0.5, label=solver
                )
        axes.axvline(1, color="#0072B2", lw=3)
        axes.set(xscale="log", xlabel="time / ladreg's time")
        axes.set_title(f"{title}, gap {float(gap):.0e}", loc="left", size=11)
        axes.set_yticks(np.arange(len(problems)), problems)
        axes.set_ylim(len(problems) - 0.5, -0.5)
        tidy(axes)
    panels[0].text(1.08, len(problems) - 0.55, "ladreg", color="#0072B2", weight="bold", size=9)
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=8, frameon=False)
    figure.savefig(HERE / file, dpi=110)


def tidy(axes: Any) -> None:
    """A faint grid, and no frame."""
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0, which="both")


def main() -> None:
    """Read the tables and draw."""
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    draw_rows(axes)
    tidy(axes)
    figure.savefig(HERE / "benchmarks_lad.png", dpi=110)
    share = ", 0.01"  # alpha / alpha_max, which all problems have
    lasso = [
        (problem.removesuffix(share), *row) for problem, *row in rows_of("The lasso", 7) if problem.endswith(share)
    ]
    draw_ratios(lasso, "Lasso, alpha_max / 100", "benchmarks_lasso.png")
    draw_ratios(rows_of("Paths", 6), "Lasso path", "benchmarks_paths.png")


if __name__ == "__main__":
    main()
