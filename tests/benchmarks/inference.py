"""Standard errors and intervals of the median beside R's quantreg, on the same tables."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from ladreg import LADRegressor, infer
from tests.benchmarks.family import t2_noise
from tests.benchmarks.harness import heading

SHAPES = ((1000, 5), (10_000, 10), (100_000, 20))
# A rival's process is given up after 60 s, with a fit and one warm-up in it.
_LIMIT, _REPEATS, _REPLICATES = 60, 3, 200
METHODS = {
    "robust": ({}, 'summary(f, se = "nid")$coefficients[, 2]'),
    "rank": (
        {"method": "rank"},
        'as.vector(t(summary(f, se = "rank", iid = FALSE, alpha = 0.05)$coefficients[, 2:3]))',
    ),
    "bootstrap, 200 replicates": (
        {"method": "bootstrap", "n_bootstrap": _REPLICATES, "random_state": 0},
        f'summary(f, se = "boot", R = {_REPLICATES})$coefficients[, 2]',
    ),
}
HEAD = "| table | method | seconds | a single fit | quantreg / ours | largest difference |\n|---|---|---|---|---|---|"


def quantreg(X, y, call):
    """Least seconds of a call on the fit, and its numbers; infinity and None where it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        np.column_stack([y, X]).T.astype("<f8").tofile(Path(folder) / "table")
        code = f"""
        suppressMessages(library(quantreg))
        d <- matrix(readBin("table", "double", {y.size * (X.shape[1] + 1)}, endian = "little"), nrow = {y.size})
        X <- d[, -1]; y <- d[, 1]
        f <- rq(y ~ X, tau = 0.5, method = "{"br" if y.size <= 5000 else "fn"}")
        best <- Inf
        for (k in 1:{_REPEATS}) {{
            t <- system.time(v <- suppressWarnings({call}))[["elapsed"]]; best <- min(best, t); if (t > 2) break
        }}
        writeBin(c(best, as.vector(v)), "found", endian = "little")
        """
        try:
            subprocess.run(
                ["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True, timeout=_LIMIT
            )
        except subprocess.TimeoutExpired:
            return np.inf, None
        found = np.fromfile(Path(folder) / "found")
    return found[0], found[1:]


def least(work):
    """The least seconds of several calls."""
    seconds = np.inf
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work()
        seconds = min(seconds, time.perf_counter() - begin)
    return seconds


def inference():
    """Robust errors, rank intervals and the bootstrap of the median."""
    warnings.simplefilter("ignore")
    heading("inference", HEAD)
    for n_samples, n_features in SHAPES:
        X, y = t2_noise(n_samples, n_features)
        model = LADRegressor().fit(X, y)
        fit = least(lambda X=X, y=y: LADRegressor().fit(X, y))
        for name, (options, call) in METHODS.items():
            spent = least(lambda options=options, model=model, X=X, y=y: infer(model, X, y, **options))
            theirs, numbers = quantreg(X, y, call) if shutil.which("Rscript") else (np.nan, None)
            spent = min(spent, least(lambda options=options, model=model, X=X, y=y: infer(model, X, y, **options)))
            found = infer(model, X, y, **{**options, "interpolate": True})
            ours = found.conf_int() if name == "rank" else found.standard_errors
            apart = "" if numbers is None else f"{np.max(np.abs(ours.ravel() - numbers) / np.abs(numbers)):.0e}"
            ratio = f"more than {(_LIMIT - 5) / spent:.0f}" if np.isinf(theirs) else f"{theirs / spent:.1f}"
            print(
                f"| {n_samples:,} x {n_features} | {name} | {spent:.3f} | {fit:.4f} | {ratio} | {apart} |", flush=True
            )
