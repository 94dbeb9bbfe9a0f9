"""Whole paths of the lasso and of penalised LAD against their peers.

A path is judged by the largest of the gaps measured along it: everybody has to be as good everywhere. Data are centred,
outside the timing, for those who fit no intercept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import lars_path
from sklearn.linear_model import lasso_path as scikit_path

from ladreg import LADRegressor, lad_path, lasso_path
from ladreg._problem import ElasticNet, HalfSquared
from ladreg._solvers import largest_alpha
from tests.benchmarks import family
from tests.benchmarks.family import LIMIT
from tests.benchmarks.harness import Rival, alone, heading, timed
from tests.benchmarks.lasso import TOLERANCES, bag_of_words, correlated, nci60, reached
from tests.benchmarks.peers import adapter, installed
from tests.problems import make

TARGETS = (1e-3, 1e-6)
# A path that takes longer than 5 s is timed once, others three times more.
_LONG, _REPEATS = 5.0, 3
# A peer is given up after three tolerances in a row without a smaller gap, once its gap is below 0.1.
_IDLE, _COARSE = 3, 0.1
# Epochs for each alpha: the limit ends what takes too long.
_EPOCHS = 100_000

HEAD = (
    "| problem | gap | ladreg, s | fastest peer | time / ours | other peers, time / ours |\n|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Peer:
    """A name, a function from (X, y, alphas, tol) to (coefficients in columns, anything), and which problems are its.

    A function that times itself returns its seconds as a third value. `centred` ones fit no intercept.
    """

    name: str
    path: object
    centred: bool = True
    sparse: bool = True
    widest: float = np.inf
    exact: bool = False


@dataclass(frozen=True)
class Task:
    """Data; every `step`-th alpha is judged, `against` the bounds of our own path if asked for."""

    X: object
    y: np.ndarray
    step: int = 1
    against: bool = False

    @cached_property
    def problem(self):
        """At alpha = 1; a sparse X is not centred, so that nobody fits an intercept to it."""
        return make(self.X, self.y, loss=HalfSquared(), alpha=1.0, fit_intercept=not sp.issparse(self.X))

    @cached_property
    def alphas(self):
        return largest_alpha(self.problem) * np.logspace(0, -3, 100)

    def at(self, k):
        return self.problem.with_penalty(ElasticNet(np.full(self.X.shape[1], self.alphas[k])))

    @cached_property
    def bounds(self):
        """What our path proves of each optimum."""
        coefs, gaps = _ours(self.X, self.y, self.alphas, 1e-12)
        return [self._objective(k, coefs[:, k]) - gaps[k] for k in range(self.alphas.size)]

    def _objective(self, k, coef):
        problem = self.at(k)
        residual = problem.y - problem.design.matvec(coef)
        return problem.objective(coef, float(problem.weight @ residual) if problem.fit_intercept else 0.0)

    def gap(self, coefs):
        """The largest relative gap along a path."""
        if not np.isfinite(coefs).all():
            return np.inf
        judged = range(self.alphas.size - 1, -1, -self.step)
        if not self.against:
            return max(reached(self.at(k), coefs[:, k]) for k in judged)
        return max(1.0 - self.bounds[k] / self._objective(k, coefs[:, k]) for k in judged)


def centred(X, y, order="F"):
    """A copy without means; a sparse X stays as it is."""
    return X if sp.issparse(X) else np.asarray(X - X.mean(axis=0), order=order), y - y.mean()


def problems(shrink):
    """Names, what reads X and y, and every how many alphas are judged; `shrink` divides a side of each table."""
    genes, wide, side, texts = (size // shrink for size in (6829, 20_000, 1000, 10_000))
    words = max(100_000 // shrink, 20_000)
    yield f"NCI60 64 x {genes:,}", partial(first_columns, nci60, genes), 1
    yield f"200 x {wide:,}, rho .5", partial(correlated, 200, wide, 0.5), 1
    yield f"{side:,} x {side:,}", partial(correlated, side, side, 0.0), 1
    yield f"bag of words {texts:,} x {words:,}", partial(without_mean, bag_of_words, texts, words), 3


def first_columns(read, number):
    X, y = read()
    return np.asfortranarray(X[:, :number]), y


def without_mean(read, *size):
    X, y = read(*size)
    return X, y - y.mean()


# Adapters.


def _ours(X, y, alphas, tol):
    return lasso_path(X, y, alphas=alphas, fit_intercept=not sp.issparse(X), tol=tol)[1:]


def _lars(X, y, alphas, tol):
    """The knots of the path, and the coefficients between them."""
    knots, _, corners = lars_path(X, y, method="lasso", alpha_min=alphas[-1], max_iter=_EPOCHS)
    coefs = np.zeros((X.shape[1], alphas.size))
    for j in np.flatnonzero(corners.any(axis=1)):
        coefs[j] = np.interp(alphas, knots[::-1], corners[j, ::-1])
    return coefs, None


def _scikit(X, y, alphas, tol, precompute):
    found = scikit_path(X, y, alphas=alphas, tol=tol, max_iter=_EPOCHS, precompute=precompute, copy_X=False)
    return found[1], None


def _celer(X, y, alphas, tol):
    import celer

    # Pruning is the default of its estimators.
    return celer.celer_path(X, y, "lasso", alphas=alphas, tol=tol, max_iter=200, prune=True)[1], None


def _skglm(X, y, alphas, tol):
    """What its `path` does, but with tolerances in units of each alpha: it is faster so."""
    from skglm.datafits import Quadratic
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD
    from skglm.utils.jit_compilation import compiled_clone

    solver = AndersonCD(max_iter=200, fit_intercept=False)
    datafit, penalty = compiled_clone(Quadratic()), compiled_clone(L1(1.0))
    coefs, predicted = np.zeros((X.shape[1], alphas.size), order="F"), np.zeros(y.size)
    coef = np.zeros(X.shape[1])
    for k, alpha in enumerate(alphas):
        penalty.alpha, solver.tol = alpha, tol * alpha
        coef, *_ = solver.solve(X, y, datafit, penalty, coef, predicted, run_checks=False)  # both change in place
        coefs[:, k] = coef
    return coefs, None


def _adelie(X, y, alphas, tol):
    import adelie

    design = adelie.matrix.sparse(X, n_threads=2) if sp.issparse(X) else X
    options = {"tol": tol, "max_iters": 100 * _EPOCHS, "early_exit": False, "progress_bar": False, "n_threads": 2}
    intercept = not sp.issparse(X)
    state = adelie.grpnet(design, adelie.glm.gaussian(y), lmda_path=alphas, intercept=intercept, **options)
    return state.betas.toarray().T, None


def _glmnet(X, y, alphas, tol):
    options = f"standardize = FALSE, intercept = {'FALSE' if sp.issparse(X) else 'TRUE'}, thresh = {tol!r}, maxit = 1e9"
    seconds, found = in_glmnet(f"glmnet(X, y, lambda = l, {options})", "as.matrix(f$beta)", X, y, alphas)
    coefs = np.full((X.shape[1], alphas.size), np.nan)  # it ends before the last alpha where it does not converge
    coefs[:, : found.size // X.shape[1]] = found.reshape(-1, X.shape[1]).T
    return coefs, None, seconds


def in_glmnet(call, value, X, y, alphas, fold=()):
    """Seconds that `call` takes in R, after a small one, and `value`, where f is what the call gives."""
    numbers = {"X": X.data if sp.issparse(X) else np.ravel(X, order="F"), "y": y, "l": alphas, "g": fold}
    reads = [f"{key} <- readBin('{key}', 'double', {len(array)})" for key, array in numbers.items()]
    n_samples, n_features = X.shape
    if sp.issparse(X):
        reads += [f"{key} <- readBin('{key}', 'integer', {X.nnz + n_features + 1})" for key in "ip"]
        reads.append(f"X <- new('dgCMatrix', i = i, p = p, x = X, Dim = c({n_samples}L, {n_features}L))")
    else:
        reads.append(f"dim(X) <- c({n_samples}, {n_features})")
    code = f"""
        suppressMessages(library(glmnet)); {"; ".join(reads)}
        small <- glmnet(matrix(rnorm(200), 20), rnorm(20))
        begin <- Sys.time(); f <- {call}; seconds <- as.numeric(Sys.time() - begin, units = 'secs')
        writeBin(c(seconds, as.vector({value})), 'out')"""
    with tempfile.TemporaryDirectory() as folder:
        for key, array in numbers.items():
            np.asarray(array, dtype=float).tofile(Path(folder, key))
        if sp.issparse(X):
            X.indices.astype(np.int32).tofile(Path(folder, "i"))
            X.indptr.astype(np.int32).tofile(Path(folder, "p"))
        subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True)
        found = np.fromfile(Path(folder, "out"))
    return found[0], found[1:]


def peers():
    """Those that are installed."""
    found = [
        Peer("ladreg", _ours, centred=False),
        Peer("lasso_path", partial(_scikit, precompute=False)),
        Peer("lasso_path with Gram matrix", partial(_scikit, precompute=True), sparse=False, widest=2000),
        Peer("lars_path", _lars, sparse=False, exact=True),
    ]
    if installed("celer"):
        found.append(Peer("celer", _celer))
    if installed("skglm"):
        found.append(Peer("skglm", _skglm))
    if installed("adelie"):
        found.append(Peer("adelie", _adelie, centred=False))
    if shutil.which("Rscript"):
        found.append(Peer("glmnet", _glmnet, centred=False))
    return found


# Timing and judging.


@dataclass
class Result:
    """Seconds to each target; the smallest gap, and its seconds."""

    seconds: dict = field(default_factory=dict)
    smallest: float = np.inf
    taken: float = np.nan


class _Sweep:
    """Paths of one peer, each tolerance once."""

    def __init__(self, peer, task, send):
        self.peer, self.task, self.send = peer, task, send
        self.X, self.y = centred(task.X, task.y) if peer.centred else (task.X, task.y)
        self.found, self.result, self.idle = {}, Result(), 0

    def path(self, index):
        self.send(self.result)  # the limit counts from here
        path = partial(self.peer.path, alphas=self.task.alphas, tol=TOLERANCES[index])
        return timed(Rival(self.peer.name, path), self.X, self.y)

    def gap(self, index):
        """The measured gap; infinite if the peer fails."""
        if index not in self.found:
            try:
                elapsed, (coefs, _) = self.path(index)
                gap = self.task.gap(coefs)
            except Exception as error:
                print(f"{self.peer.name} failed at {TOLERANCES[index]:g}: {error!r}", file=sys.stderr)
                elapsed, gap = 0.0, np.inf
            self.idle = 0 if gap < 0.5 * self.result.smallest or gap > _COARSE else self.idle + 1
            if gap < self.result.smallest:
                self.result.smallest, self.result.taken = gap, elapsed
            self.found[index] = gap, elapsed
        return self.found[index][0]

    def seconds(self, index):
        """The median of a few more paths, which follow a warm-up, unless they take long."""
        elapsed = self.found[index][1]
        return elapsed if elapsed > _LONG else float(np.median([self.path(index)[0] for _ in range(_REPEATS)]))

    def run(self, limit):
        """Every other tolerance is tried, and where a target is met the one before as well."""
        for index in range(0, len(TOLERANCES), 2) if not self.peer.exact else (0,):
            gap = self.gap(index)
            for target in TARGETS:
                if target not in self.result.seconds and gap <= target:
                    loosest = index - (index > 0 and self.gap(index - 1) <= target)
                    self.result.seconds[target] = self.seconds(loosest)
            self.send(self.result)
            late = self.found[index][1] > limit
            if len(self.result.seconds) == len(TARGETS) or gap == np.inf or late or self.idle > _IDLE:
                break


def _swept(peer, task, limit, send):
    """A warm-up on a corner of the data, where compilers run, and the sweep."""
    X, y = task.X[:200, :200], task.y[:200]
    corner = _Sweep(peer, Task(X if sp.issparse(X) else np.asfortranarray(X), y), lambda _: None)
    send(Result())
    with suppress(Exception):
        corner.path(4)
    _Sweep(peer, task, send).run(limit)


def _compare(name, task, limit):
    results = {}
    for peer in peers():
        if (peer.sparse or not sp.issparse(task.X)) and task.X.shape[1] <= peer.widest:
            results[peer.name] = alone(partial(_swept, peer, task, limit), limit)[0] or Result()
    ours = results.pop("ladreg").seconds
    for target in TARGETS:
        own = ours.get(target, np.nan)
        ratios = {peer: found.seconds[target] / own for peer, found in results.items() if target in found.seconds}
        best = min(ratios, key=ratios.get) if ratios else "none"
        rest = [f"{peer} {ratio:.1f}" for peer, ratio in ratios.items() if peer != best]
        for peer, found in results.items():
            if target not in found.seconds:
                reason = f"({found.smallest:.0e} at {found.taken / own:.1f})" if found.smallest < np.inf else ""
                rest.append(f"{peer} not reached {reason}".rstrip())
        shown = f"{ratios[best]:.2f}" if ratios else "-"
        print(f"| {name} | {target:.0e} | {own:.4f} | {best} | {shown} | {', '.join(rest)} |", flush=True)


def paths(*only):
    """All problems, or those whose names contain one of `only`.

    "shrink=50" makes them smaller, "limit=10" hurries; "excess=1" judges a path by how far its objectives are above the
    bounds that ours proves, which is kinder to those whose residuals prove less than they reached.
    """
    options, only = options_of(only)
    shrink, limit = int(options.get("shrink", 1)), options.get("limit", LIMIT)
    chosen = [given for given in problems(shrink) if not only or any(part in given[0] for part in only)]
    if chosen:
        heading("paths-excess" if options.get("excess") else "paths", HEAD)
    for name, read, step in chosen:
        task = Task(*read(), step, bool(options.get("excess", 0)))
        if task.against:
            task.bounds  # noqa: B018, read here for all of them
        _compare(name, task, limit)
    n_samples = 100_000 // shrink
    name = f"LAD path of 50 alphas {n_samples:,} x 20"
    if not only or any(part in name for part in only):
        heading("lad-path", family.HEAD)
        family._compare(name, lad_task(n_samples, 20), limit)


def options_of(given):
    """Options as "name=value", and parts of names."""
    options = {key: float(value) for key, _, value in (part.partition("=") for part in given) if value}
    return options, [part for part in given if "=" not in part]


# Penalised least absolute deviations.


class LADPath:
    """`lad_path` in the clothes of an estimator; certificates are made when asked for, after the timing."""

    def __init__(self, alphas, problems):
        self.alphas, self.problems = alphas, problems

    def fit(self, X, y):
        _, coefs, self.intercept_, self.gaps = lad_path(X, y, alphas=self.alphas)
        self.coef_ = coefs.T
        return self

    @property
    def certificate_(self):
        answers = zip(self.problems, self.coef_, self.intercept_, self.gaps, strict=True)
        return [SimpleNamespace(bound=task.objective(coef, float(b)) - gap) for task, coef, b, gap in answers]


def lad_task(n_samples, n_features):
    """A path of 50 alphas against our own single fits, and against peers that fit five of the alphas."""
    X, y = family.t2_noise(n_samples, n_features, min(5, n_features))
    shares = np.logspace(0, -3, 50)
    alphas = LADRegressor().alpha_max(X, y) * shares
    single, few = (4, 24, 44), (4, 14, 24, 34, 44)
    fits = [adapter(LADRegressor(float(alphas[k]))) for k in single]
    found = [family.Peer("ten of our single fits (the mean of three)", (_each(fits),), single, 10 / 3, yardstick=True)]
    for group in zip(*(family.penalised(n_samples, n_features, float(shares[k])).peers for k in few), strict=True):
        each = _each([peer.fits[0] for peer in group])
        found.append(family.Peer(f"{group[0].name} (from 5 alphas)", (each,), few, 10.0))
    asked = [make(X, y, alpha=float(alpha)) for alpha in alphas]
    return family.Task(X, y, asked, LADPath(alphas, asked), found)


def _each(fits):
    """Several fits, one after the other, and the seconds that they took themselves."""

    def fit(X, y):
        seconds, answers = zip(*(timed(Rival("", single), X, y) for single in fits), strict=True)
        return np.array([coef for coef, _ in answers]), np.array([b for _, b in answers]), sum(seconds)

    return fit
