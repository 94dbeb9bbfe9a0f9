"""Small tables, and sparse tables of groups: dummies of one factor or two beside two dense columns."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import QuantileRegressor

from ladreg import LADRegressor
from tests.benchmarks.harness import SUMMARY, Rival, heading, run, summary
from tests.benchmarks.peers import adapter
from tests.benchmarks.small import small
from tests.problems import make

# Rows, levels of a factor, levels of one that crosses it.
GROUPS = ((20_000, 2_000, 0), (20_000, 5_000, 0), (200_000, 2_000, 0), (100_000, 2_000, 200), (1_000_000, 10_000, 0))


def groups(n_samples, *n_levels):
    """Two dense columns and the dummies of each factor, errors of Student's t with two degrees of freedom."""
    rng = np.random.default_rng(0)
    parts = [sp.csr_array(rng.standard_normal((n_samples, 2)))]
    for number in n_levels:
        codes = rng.integers(0, number, n_samples)
        parts.append(sp.csr_array((np.ones(n_samples), codes, np.arange(n_samples + 1)), shape=(n_samples, number)))
    X = sp.csr_array(sp.hstack(parts))
    return X, X @ rng.standard_normal(X.shape[1]) + rng.standard_t(2, n_samples)


def sparse_frisch_newton(X, y):
    """R quantreg's `sfn`, timed inside R; the dummies are its intercept, empty columns are left out."""
    used = np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1]))
    part = sp.csr_array(X[:, used])
    part.sort_indices()
    with tempfile.TemporaryDirectory() as folder:
        for name, values in (("x", part.data), ("y", y)):
            values.tofile(Path(folder, name))
        for name, values in (("j", part.indices + 1), ("i", part.indptr + 1)):
            values.astype(np.int32).tofile(Path(folder, name))
        code = (
            f"suppressMessages(library(quantreg)); n <- {y.size}; m <- {part.nnz};"
            "A <- new('matrix.csr', ra = readBin('x', 'double', m), ja = readBin('j', 'integer', m),"
            f"ia = readBin('i', 'integer', n + 1), dimension = c({y.size}L, {used.size}L));"
            "y <- readBin('y', 'double', n);"
            "t <- system.time(b <- rq.fit.sfn(A, y, tau = 0.5)$coef)[['elapsed']]; writeBin(c(t, b), 'out')"
        )
        subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True)
        seconds, *found = np.fromfile(Path(folder, "out"))
    coef = np.zeros(X.shape[1])
    coef[used] = found
    return coef, 0.0, seconds


def has_quantreg():
    """Whether R is there, with its package quantreg."""
    load = ["Rscript", "-e", "library(quantreg)"]
    return bool(shutil.which("Rscript")) and subprocess.run(load, capture_output=True).returncode == 0


def shapes(*names):
    """Seconds and objectives of each table; only the tables whose name has one of `names` in it, if there are any.

    "small" is the name of small tables, and of many of them.
    """
    if not names or "small" in names:
        small()
    highs = QuantileRegressor(quantile=0.5, alpha=0.0, solver="highs-ipm")
    rivals = [Rival("ladreg", adapter(LADRegressor())), Rival("scikit-learn highs-ipm", adapter(highs), 2e5)]
    if has_quantreg():
        rivals.append(Rival("R quantreg sfn", sparse_frisch_newton, 1e6))
    else:
        print("Without R and its package quantreg, `rq.fit.sfn` is left out.")
    heading("groups", SUMMARY)
    for n_samples, one, other in GROUPS:
        X, y = groups(n_samples, one, *([other] if other else []))
        name = f"{n_samples:,} x {X.shape[1]:,}" + (" crossed" if other else "")
        if not names or any(part in name for part in names):
            print(summary(run(name, make(X, y), rivals, repeats=3)), flush=True)
