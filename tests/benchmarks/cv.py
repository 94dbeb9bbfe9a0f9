"""Cross-validation of the lasso along a path against its peers: the same folds, the same alphas.

The quality is that of the whole curve: the largest relative difference of the mean squared errors from ours, whose
paths are solved to a relative gap of 1e-10.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold

from ladreg import LassoCDCV
from tests.benchmarks.family import LIMIT
from tests.benchmarks.harness import Rival, alone, heading, timed
from tests.benchmarks.lasso import correlated, nci60
from tests.benchmarks.paths import _LONG, _REPEATS, Task, centred, first_columns, in_glmnet, options_of
from tests.benchmarks.peers import installed

_FOLDS = 5

HEAD = "| problem | solver | seconds | time / ours with as many jobs | largest difference from our curve |\n" + (
    "|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Peer:
    """A name, a function from (X, y, alphas, splits) to (mean squared errors, anything), and with how many jobs.

    `plain` ones fit no intercept, in folds of their own; they get centred data, and our curve for that is theirs too.
    """

    name: str
    fit: object
    jobs: int = 1
    plain: bool = False


def problems(shrink):
    """Names, and what reads X and y; the longer side of each table is divided by `shrink`."""
    genes, wide, tall, large = (size // shrink for size in (6829, 5000, 20_000, 100_000))
    yield f"NCI60 64 x {genes:,}", partial(first_columns, nci60, genes)
    yield f"500 x {wide:,}, rho .5", partial(correlated, 500, wide, 0.5)
    yield f"{tall:,} x 200", partial(correlated, tall, 200, 0.0)
    yield f"{large:,} x 500", partial(correlated, large, 500, 0.0)


def mean_of(errors, splits):
    """The folds' mean squared errors, each weighted by its rows: the mean over all rows."""
    sizes = np.array([test.size for _, test in splits])
    return errors @ sizes / sizes.sum()


def _chosen(X, y, alphas, splits, make_estimator):
    model = make_estimator(alphas=alphas, cv=splits).fit(X, y)
    return mean_of(model.mse_path_, splits), model


def _plain_splits(n_samples):
    """The folds of scm2cpp-learn, which may differ from scikit-learn's by a row."""
    ends, rows = np.linspace(0, n_samples, _FOLDS + 1).astype(int), np.arange(n_samples)
    return [(np.delete(rows, np.s_[a:b]), rows[a:b]) for a, b in pairwise(ends)]


def _scm2cpp(X, y, alphas, splits, jobs):
    """Its alphas are its own, from the largest of the centred data on as ours are."""
    import scm2cpp_learn

    model = scm2cpp_learn.CovLassoCV(cv=len(splits), num=alphas.size, eps=alphas[-1] / alphas[0], n_jobs=jobs)
    model.fit(X, y)
    if not np.allclose(model.alphas_, alphas, rtol=1e-6):
        raise ValueError("other alphas")
    return mean_of(model.mse_path_, splits), model


def _glmnet(X, y, alphas, splits):
    fold = np.zeros(y.size)
    for k, (_, test) in enumerate(splits, 1):
        fold[test] = k
    call = "cv.glmnet(X, y, lambda = l, foldid = g, standardize = FALSE, thresh = 1e-10, maxit = 1e8)"
    seconds, curve = in_glmnet(call, "f$cvm", X, y, alphas, fold)
    return np.append(curve, np.full(alphas.size - curve.size, np.nan)), None, seconds


def peers():
    """Ours, and those that are installed."""
    found = [
        Peer(f"LassoCDCV n_jobs={k}", partial(_chosen, make_estimator=partial(LassoCDCV, n_jobs=k)), k) for k in (1, 2)
    ]
    for jobs in (None, 2):
        model = partial(LassoCV, tol=1e-6, max_iter=10_000, n_jobs=jobs)
        found.append(Peer(f"LassoCV tol=1e-6, n_jobs={jobs}", partial(_chosen, make_estimator=model), jobs or 1))
    if installed("scm2cpp_learn"):
        for jobs in (1, 2):
            fit = partial(_scm2cpp, jobs=jobs)
            found += [Peer(f"scm2cpp-learn CovLassoCV n_jobs={jobs}", fit, jobs, plain=True)]
    if installed("celer"):
        import celer

        model = partial(celer.LassoCV, tol=1e-6, n_jobs=2)
        found.append(Peer("celer LassoCV tol=1e-6, n_jobs=2", partial(_chosen, make_estimator=model), 2))
    if shutil.which("Rscript"):
        found.append(Peer("cv.glmnet thresh=1e-10", _glmnet))
    return found


def _measure(peer, task, send):
    """Seconds and the curve; quick fits follow a warm-up, and their median counts."""
    splits = list(KFold(_FOLDS).split(task.X))
    X, y = task.X, task.y
    if peer.plain:
        # In the order of rows that scm2cpp-learn wants.
        (X, y), splits = centred(X, y, order="C"), _plain_splits(y.size)
    rival = Rival(peer.name, partial(peer.fit, alphas=task.alphas, splits=splits))
    try:
        elapsed, (curve, _) = timed(rival, X, y)
        send((elapsed, curve))
        if elapsed < _LONG:
            send((float(np.median([timed(rival, X, y)[0] for _ in range(_REPEATS)])), curve))
    except Exception as error:
        print(f"{peer.name} failed: {error!r} {getattr(error, 'stderr', '')}", file=sys.stderr)


def _compare(name, task, limit):
    @cache
    def reference(plain):
        """Our curve; without intercept on centred data where `plain`."""
        ours = Peer("", partial(_chosen, make_estimator=partial(LassoCDCV, fit_intercept=not plain)), plain=plain)
        found, _ = alone(partial(_measure, ours, task), limit)
        return found[1] if found else np.full(task.alphas.size, np.nan)

    ours = {}
    for peer in peers():
        found, ended = alone(partial(_measure, peer, task), limit)
        if found is None:
            reason = "failed" if ended else f"> {limit:g}"
            late = "" if ended else f"> {limit / ours.get(peer.jobs, np.nan):.1f}"
            print(f"| {name} | {peer.name} | {reason} | {late} | |", flush=True)
            continue
        seconds, curve = found
        ours.setdefault(peer.jobs, seconds)
        apart = float(np.max(np.abs(curve / reference(peer.plain) - 1.0)))
        ratio = seconds / ours[peer.jobs]
        print(f"| {name} | {peer.name} | {seconds:.4f} | {ratio:.2f} | {apart:.0e} |", flush=True)


def cv(*only):
    """All problems, or those whose names contain one of `only`; "shrink=50" makes them smaller, "limit=10" hurries."""
    options, only = options_of(only)
    heading("cv", HEAD)
    for name, read in problems(int(options.get("shrink", 1))):
        if not only or any(part in name for part in only):
            _compare(name, Task(*read()), options.get("limit", LIMIT))
