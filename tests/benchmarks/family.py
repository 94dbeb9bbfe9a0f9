"""The rest of the L1 family against its peers: penalised LAD, many quantiles, the combined loss and Huber's.

Every answer is judged by the same objective, and held against the bound that the certificate of our fit proves.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.linear_model import QuantileRegressor as LinprogRegressor

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor
from ladreg._problem import Combined, Huber, Pinball
from tests.benchmarks.harness import _SLOW, Rival, heading, shown, timed
from tests.benchmarks.peers import adapter, in_r, installed, one_by_one, plain, with_ones, with_rows
from tests.problems import make

# The largest excess over the bound, relative to it, with which an answer counts; how much faster we are to be.
GOOD, TARGET = 1e-6, 5.0
# Seconds for one fit, and beside them for what is not counted; bytes of address space.
LIMIT, _WAIT, MEMORY = 120.0, 15.0, 16 << 30
_REPEATS = 3
QUANTILES = np.arange(1, 100) / 100
# Of the quantiles, those that stand for all where a peer takes long.
_FEW = (4, 49, 94)

HEAD = (
    "| problem | ladreg, s | excess | fastest peer (excess) | time / ours | target | "
    "other solvers, time / ours (excess) |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Peer:
    """A name, fits from the loosest tolerance to the tightest, of which the first good one counts, and which problems.

    Where few of the problems are solved, `times` brings the seconds to all. Yardsticks are our own.
    """

    name: str
    fits: tuple
    part: tuple | None = None
    times: float = 1.0
    yardstick: bool = False


@dataclass(frozen=True)
class Task:
    """Data, the problems that are asked (several quantiles are several), our estimator, and the others."""

    X: np.ndarray
    y: np.ndarray
    problems: list
    model: object
    peers: list


@dataclass(frozen=True)
class Result:
    """Seconds, the largest excess over the bounds, and the bounds; or why there is none of them."""

    seconds: float = np.nan
    excess: float = np.nan
    bounds: tuple = ()
    failure: str = ""


def t2_noise(n_samples, n_features, n_informative=None):
    """A linear model, sparse where asked for, with errors of Student's t with two degrees of freedom."""
    rng = np.random.default_rng(0)
    # Filled in place, so that peak memory is that of X.
    X = rng.standard_normal(out=np.empty((n_samples, n_features)))
    coef = rng.standard_normal(n_features)
    if n_informative is not None:
        coef[rng.permutation(n_features)[n_informative:]] = 0.0
    return X, X @ coef + rng.standard_t(2, n_samples)


def _convex(loss, alpha):
    """cvxpy with Clarabel, if it is installed; `loss` is the loss as an expression of the residuals."""
    if not installed("cvxpy", "clarabel"):
        return []
    import cvxpy as cp

    def fit(X, y):
        coef, intercept, residual = cp.Variable(X.shape[1]), cp.Variable(), cp.Variable(y.size)
        objective = loss(cp, residual) / y.size + (alpha * cp.norm1(coef) if alpha else 0.0)
        problem = cp.Problem(cp.Minimize(objective), [residual == y - X @ coef - intercept])
        problem.solve(solver=cp.CLARABEL)
        return coef.value, float(intercept.value)

    return [Peer("cvxpy + Clarabel", (fit,))]


def penalised(n_samples, n_features, share):
    """Least absolute deviations with the L1 penalty; peers halve the loss, or sum it."""
    X, y = t2_noise(n_samples, n_features, min(5, n_features))
    alpha = float(share * LADRegressor().alpha_max(X, y))
    tall = n_samples > n_features
    found = [Peer("scikit-learn QuantileRegressor", (adapter(LinprogRegressor(alpha=alpha / 2, solver="highs")),))]
    if shutil.which("Rscript"):
        # lambda as a number leaves the intercept alone.
        fit = in_r(f"rq.fit.lasso(X, y, tau = 0.5, lambda = {n_samples * alpha!r})$coefficients")
        found.append(Peer("R quantreg lasso", (fit,)))
        if tall:
            rows = f"rbind(X, cbind(0, diag({n_samples * alpha!r}, p)))"
            fit = in_r(f"rq.fit.pfn({rows}, c(y, rep(0, p)), tau = 0.5)$coefficients")
            found.append(Peer("R quantreg pfn, penalty as rows", (fit,)))
    if installed("pinball"):
        import pinball
        from pinball.linear.solvers.lasso import LassoSolver

        # Its estimator does not hand lambda_ on; the ones come first, and are not penalised.
        solver = LassoSolver(lambda_=n_samples * alpha)
        found.append(Peer("pinball-qr lasso", (partial(_ones_first, solver),)))
        if tall:
            fit = adapter(pinball.QuantileRegressor(0.5, method="pfn", fit_intercept=False))
            found.append(Peer("pinball-qr pfn, penalty as rows", (with_rows(fit, alpha),)))
    if installed("asgl"):
        import asgl

        # Its tol sets coefficients to zero, which costs accuracy.
        fit = adapter(asgl.Regressor(model="qr", penalization="lasso", lambda1=alpha / 2, tol=0.0))
        found.append(Peer("asgl", (fit,)))
    found += _convex(lambda cp, r: cp.norm1(r), alpha)
    return Task(X, y, [make(X, y, alpha=alpha)], LADRegressor(alpha), found)


def _ones_first(solver, X, y):
    intercept, *coef = solver.solve(np.column_stack([np.ones(y.size), X]), y, 0.5).coefficients
    return np.array(coef), float(intercept)


def process(n_samples, n_features):
    """99 quantiles at once, against others' and our own single fits."""
    X, y = t2_noise(n_samples, n_features)

    def ours(quantile):
        return adapter(QuantileRegressor(quantile=quantile, alpha=0.0))

    few, times = [QUANTILES[k] for k in _FEW], QUANTILES.size / len(_FEW)
    found = [
        Peer("ten of our single fits (the median)", (ours(0.5),), (49,), 10.0, yardstick=True),
        Peer("99 of our single fits", (one_by_one([ours(quantile) for quantile in QUANTILES]),), yardstick=True),
    ]
    if shutil.which("Rscript"):
        for method in ("fnb", "pfn"):
            each = f"sapply(1:99 / 100, function(tau) rq.fit.{method}(X, y, tau = tau)$coefficients)"
            found.append(Peer(f"R quantreg {method}", (in_r(each),)))
        for method in ("qfnb", "pfnb", "ppro"):  # all quantiles at once
            together = in_r(f"rq.fit.{method}(X, y, tau = 1:99 / 100)$coefficients")
            found.append(Peer(f"R quantreg {method}", (together,)))
    if installed("pinball"):
        import pinball

        def in_columns(X, y, model):
            model.fit(X, y)
            return model.coef_.T, model.intercept_

        for method in ("fn", "pfn"):
            model = pinball.QuantileRegressor(QUANTILES.tolist(), method=method)
            found.append(Peer(f"pinball-qr {method}", (partial(in_columns, model=model),)))
    if installed("pyqreg"):
        import pyqreg

        fits = [with_ones(lambda X, y, q=q: pyqreg.QuantReg(y, X).fit(q).params) for q in few]
        found.append(Peer("pyqreg2 (from 3 quantiles)", (one_by_one(fits),), _FEW, times))
    if installed("statsmodels"):
        from statsmodels.regression.quantile_regression import QuantReg

        fits = [with_ones(lambda X, y, q=q: QuantReg(y, X).fit(q).params) for q in few]
        found.append(Peer("statsmodels (from 3 quantiles)", (one_by_one(fits),), _FEW, times))
    problems = [make(X, y, loss=Pinball(quantile)) for quantile in QUANTILES.tolist()]
    return Task(X, y, problems, QuantileRegressor(quantile=QUANTILES.tolist(), alpha=0.0), found)


def combined(n_samples, n_features, share):
    """Half absolute and half squared loss."""
    X, y = t2_noise(n_samples, n_features, n_features // 4 if share else None)
    alpha = share * CombinedLossRegressor().alpha_max(X, y) if share else 0.0
    found = _convex(lambda cp, r: 0.5 * cp.norm1(r) + 0.5 * cp.sum_squares(r), alpha)
    problem = make(X, y, loss=Combined(0.5, 0.5), alpha=alpha)
    return Task(X, y, [problem], CombinedLossRegressor(0.5, alpha), found)


def huber(n_samples, n_features, alpha):
    """Huber's loss at a scale of 1. Those that estimate the scale as they fit solve another problem."""
    X, y = t2_noise(n_samples, n_features)
    end, found = 1.35, []
    if installed("skglm"):
        fits = tuple(_skglm(end, alpha, 10.0**-k) for k in range(2, 10))
        fits[0](*t2_noise(100, 5))  # its compiler runs here
        found.append(Peer("skglm", fits))
    if installed("statsmodels") and alpha == 0:
        fits = tuple(with_ones(partial(_reweighted, end=end, tol=10.0**k)) for k in range(2, -10, -2))
        found.append(Peer("statsmodels RLM", fits))
    if n_samples <= 20_000:
        found += _convex(lambda cp, r: cp.sum(cp.huber(r, end)) / 2, alpha)
    problem = make(X, y, loss=Huber(end), alpha=alpha)
    return Task(X, y, [problem], HuberLossRegressor(end, scale=1.0, alpha=alpha), found)


def _skglm(end, alpha, tol):
    import skglm
    from skglm.datafits import Huber as Datafit
    from skglm.penalties import L1

    def fit(X, y):
        X = np.asfortranarray(X)  # the only order that it takes; not counted
        solver = skglm.solvers.AndersonCD(max_iter=1000, tol=tol)
        begin = time.perf_counter()
        model = skglm.GeneralizedLinearEstimator(Datafit(end), L1(alpha), solver).fit(X, y)
        elapsed = time.perf_counter() - begin
        return model.coef_, float(model.intercept_), elapsed

    return fit


def _reweighted(X, y, end, tol):
    """Iteratively reweighted least squares, with the scale kept at 1."""
    from statsmodels.api import RLM
    from statsmodels.robust.norms import HuberT

    return RLM(y, X, M=HuberT(end)).fit(start_scale=1.0, update_scale=False, tol=tol, maxiter=1000).params


def tasks(shrink):
    """Names, and what makes the task; the longer side of each table is divided by `shrink`."""
    tall, wide, longest, middle = (size // shrink for size in (100_000, 20_000, 1_000_000, 50_000))
    for n_samples, n_features, shares in ((tall, 20, (0.1, 0.01)), (200, wide, (0.3, 0.1, 0.03))):
        for share in shares:
            name = f"penalised LAD {n_samples:,} x {n_features:,}, {share} alpha_max"
            yield name, partial(penalised, n_samples, n_features, share)
    yield f"99 quantiles {middle:,} x 20", partial(process, middle, 20)
    for n_samples in (20_000 // shrink, longest):
        for share in (0.0, 0.1):
            yield f"combined loss {n_samples:,} x 20, {share:g} alpha_max", partial(combined, n_samples, 20, share)
    for n_samples in (20_000 // shrink, longest):
        for alpha in (0.0, 0.01):
            yield f"Huber {n_samples:,} x 20, alpha {alpha:g}", partial(huber, n_samples, 20, alpha)


# Timing and judging.


def worst(task, part, bounds, answer):
    """The largest excess of an answer over the bounds, relative to them; a NaN stays one."""
    coefs, intercepts = np.atleast_2d(answer[0]), np.ravel(answer[1])
    excess = [
        task.problems[k].objective(np.asarray(coef, dtype=float), float(intercept)) / bounds[k] - 1.0
        for k, coef, intercept in zip(part or range(len(bounds)), coefs, intercepts, strict=True)
    ]
    return float(np.max(excess))


def measured(peer, task, bounds, limit):
    """The result in a process of its own: compiled code cannot be interrupted, and its memory is limited."""
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_measure, args=(peer, task, bounds, limit, sender))
    child.start()
    sender.close()
    latest, failure = None, "not finished"
    try:
        while receiver.poll(limit + _WAIT):
            latest = receiver.recv()
    except EOFError:
        child.join()
        failure = f"failed (exit code {child.exitcode})"
    finally:
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)  # with R, if it runs
            child.join()
    return latest or Result(failure=failure)


def _measure(peer, task, bounds, limit, sender):
    """The first fit is a warm-up of quick ones, and the result of slow ones."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        total, result = 0.0, Result()
        for fit in peer.fits:
            elapsed, answer = timed(Rival(peer.name, fit), task.X, task.y)
            if not bounds:  # these are ours
                certificates = task.model.certificate_
                certificates = certificates if isinstance(certificates, list) else [certificates]
                bounds = tuple(certificate.bound for certificate in certificates)
            result = Result(elapsed * peer.times, worst(task, peer.part, bounds, answer), bounds)
            sender.send(result)
            total += elapsed
            if result.excess <= GOOD or total > limit:
                break
        if elapsed < _SLOW or peer.name == "ladreg":
            again = [timed(Rival(peer.name, fit), task.X, task.y)[0] for _ in range(_REPEATS)]
            sender.send(Result(float(np.median(again)) * peer.times, result.excess, bounds))
    except Exception as error:
        reason = f"{error!r} {getattr(error, 'stderr', '')}"
        print(f"{peer.name} failed: {reason}", file=sys.stderr)
        lacking = isinstance(error, MemoryError) or "cannot allocate" in reason or "Unable to allocate" in reason
        sender.send(Result(failure=f"needs more than {MEMORY >> 30} GB" if lacking else "failed"))
    sender.close()


def _compare(name, task, limit):
    ours = measured(Peer("ladreg", (plain(task.model),)), task, (), limit)
    if ours.failure:
        print(f"| {name} | {ours.failure} | | | | | |", flush=True)
        return
    results = {peer: measured(peer, task, ours.bounds, limit) for peer in task.peers}
    good = {peer: found.seconds for peer, found in results.items() if found.excess <= GOOD and not peer.yardstick}
    best = min(good, key=good.get) if good else None
    rest = []
    for peer, found in results.items():
        if found.failure:
            late = f" > {limit * peer.times / ours.seconds:.0f}" if found.failure == "not finished" else ""
            rest.append(f"{peer.name}{late} {found.failure}")
        elif peer is not best:
            rest.append(f"{peer.name} {found.seconds / ours.seconds:.1f} ({shown(found.excess)})")
    first, ratio, met = "none", "-", "-"
    if best:
        first, ratio = f"{best.name} ({shown(results[best].excess)})", f"{good[best] / ours.seconds:.2f}"
        met = f"{TARGET:g}, {'met' if good[best] >= TARGET * ours.seconds else 'missed'}"
    line = f"{ours.seconds:.4f} | {shown(ours.excess)} | {first} | {ratio} | {met} | {', '.join(rest)}"
    print(f"| {name} | {line} |", flush=True)


def family(*only):
    """All problems, or those whose names contain one of `only`; "shrink=50" makes them smaller, "limit=10" hurries."""
    options = {key: float(value) for key, _, value in (part.partition("=") for part in only) if value}
    only = [part for part in only if "=" not in part]
    heading("family", HEAD)
    for name, read in tasks(int(options.get("shrink", 1))):
        if not only or any(part in name for part in only):
            _compare(name, read(), options.get("limit", LIMIT))
