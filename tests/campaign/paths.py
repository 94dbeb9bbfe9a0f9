"""``python -m tests.campaign --paths 1000``: paths, knots and processes of random tables against single fits.

Each table has 200 alphas. An objective, computed here in long doubles, may be at most 1e-12 of itself above that of the
single fit; the coefficients, canonical where there are several optima, may differ by 1e-8 of the largest.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ladreg import QuantileRegressor, quantile_path, quantile_process

KINDS = ("normal", "integers", "dummies", "repeats", "twin columns", "offset", "outliers", "few values", "leverage")
N_ALPHAS, N_QUANTILES = 200, 10


def drawn(seed):
    """X, y, weights and options of a table; its kinds by name."""
    rng = np.random.default_rng([seed, 7])
    n, p = int(rng.integers(2, 60)), int(rng.integers(1, 40))
    X, kinds = rng.standard_normal((n, p)), [KINDS[seed % len(KINDS)]]
    if rng.random() < 0.3:
        kinds.append(str(rng.choice(KINDS)))
    coef = rng.standard_normal(p) * (rng.random(p) < 0.4)
    if "integers" in kinds:
        X = np.round(2 * X)
    if "dummies" in kinds:
        X[:, : p // 2 + 1] = np.eye(p // 2 + 1)[rng.integers(0, p // 2 + 1, n)]
    if "repeats" in kinds:
        X = X[rng.integers(0, n, n)]
    if "twin columns" in kinds:
        X[:, -1], X[:, p // 3] = X[:, 0], -2.0 * X[:, p // 2]
    if "offset" in kinds:
        X += 100.0
    if "leverage" in kinds:
        X *= np.exp(2 * rng.standard_normal((n, 1)))
    y = X @ coef + rng.standard_t(1.5, n)
    if "integers" in kinds or "few values" in kinds:
        y = np.round(y)
    if "few values" in kinds:
        y = np.clip(y, -1, 1)
    if "outliers" in kinds:
        far = rng.random(n) < 0.2
        y[far] *= 10.0 ** rng.integers(2, 9)
    weight = rng.choice([0.0, 1.0, 1.0, 2.0, 3.5], n) + np.eye(1, n)[0] if rng.random() < 0.4 else None
    options = {"fit_intercept": bool(rng.random() < 0.8), "positive": bool(rng.random() < 0.2)}
    if rng.random() < 0.3:
        options["penalty_weights"] = rng.choice([0.0, 0.5, 1.0, 3.0, np.inf], p)
        options["penalty_weights"][0] = 1.0
    quantile = 0.5 if rng.random() < 0.5 else float(rng.uniform(0.05, 0.95))
    return X, y, weight, options, quantile, kinds


def objective(table, alpha, quantile, coef, intercept):
    """The mean pinball loss plus the penalty, in long doubles."""
    X, y, weight, options, *_ = table
    exact = np.longdouble
    w = np.ones(y.size, exact) if weight is None else weight.astype(exact)
    residual = y.astype(exact) - X.astype(exact) @ coef.astype(exact) - exact(intercept)
    loss = w @ np.maximum(exact(quantile) * residual, (exact(quantile) - 1) * residual) / w.sum()
    factors = np.asarray(options.get("penalty_weights", np.ones(coef.size)), exact)
    used = coef != 0
    return float(loss + exact(alpha) * (factors[used] @ np.abs(coef[used].astype(exact))))


def judged(seed):
    """What is wrong with the paths of one table: a list of sentences."""
    table = X, y, weight, options, quantile, _ = drawn(seed)
    rng = np.random.default_rng([seed, 8])
    largest = QuantileRegressor(quantile=quantile, alpha=1.0, **options).alpha_max(X, y, weight)
    if not largest > 0:
        return []
    complaints = []
    alphas = largest * np.sort(np.append(10.0 ** rng.uniform(-3.5, 0.05, N_ALPHAS - 2), [1.5, 0.0]))[::-1]
    more = {"quantile": quantile, "sample_weight": weight, **options}
    _, coefs, intercepts, _ = quantile_path(X, y, alphas=alphas, **more)
    ends, *steps, _ = quantile_path(X, y, method="knots", eps=10.0**-3.5, **more)

    def compare(name, single, alpha, tau, coef, intercept, canonical):
        """One solution against the single fit."""
        best = objective(table, alpha, tau, single.coef_, single.intercept_)
        # Residuals are as exact as the sums that they are made of: targets, and products with the columns.
        size = objective(table, alpha, tau, 0 * coef, np.median(y)) + (np.abs(X) @ np.abs(coef)).mean()
        found = objective(table, alpha, tau, coef, intercept)
        if abs(found - best) > 1e-12 * best + 1e-14 * size:
            complaints.append(f"{name} at alpha={alpha:.17g}, quantile={tau:.17g}: {found:.17g}, alone {best:.17g}")
        apart = np.abs(coef - single.coef_).max()
        certificate = single.certificate_
        determined = certificate.relative_gap <= single.tol and (canonical or certificate.unique)  # else it warned
        if determined and apart > 1e-8 * np.abs(single.coef_).max() + 1e-9 * size:
            complaints.append(f"{name} at alpha={alpha:.17g}, quantile={tau:.17g}: coefficients {apart:.2g} apart")

    model = QuantileRegressor(quantile=quantile, **options)
    for k, alpha in enumerate(alphas):
        model.set_params(alpha=alpha).fit(X, y, weight)
        compare("path", model, alpha, quantile, coefs[:, k], intercepts[k], canonical=True)
        if alpha >= ends[-1]:
            at = int(np.searchsorted(-ends, -alpha))
            compare("knots", model, alpha, quantile, steps[0][:, at], steps[1][at], canonical=False)
    alpha = float(rng.choice([0.0, 0.05, 0.5])) * largest
    shared = {"alpha": alpha, "sample_weight": weight, "quantile_range": (0.02, 0.98), **options}
    edges, coefs, intercepts, _ = quantile_process(X, y, **shared)
    for tau in rng.uniform(0.02, 0.98, N_QUANTILES):
        at = int(np.searchsorted(edges, tau)) - 1
        single = QuantileRegressor(quantile=tau, alpha=alpha, **options).fit(X, y, weight)
        compare("process", single, alpha, tau, coefs[:, at], intercepts[at], canonical=False)
    return complaints


def check_paths(number, first):
    """Judge some tables; the exit code is 1 if there are complaints."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message="alpha=1, the default")  # an alpha may happen to be 1
    warnings.simplefilter("ignore", ConvergenceWarning)  # of fits that follow gross outliers, judged by the other rows
    begin, bad, done = time.time(), 0, 0
    try:
        for seed in range(first, first + number):
            bad += bool(_told(seed))
            done += 1
    except KeyboardInterrupt:
        print("interrupted: this is what there is")
    print(f"{done} tables from seed {first} on in {time.time() - begin:.0f} s: complaints about {bad}")
    return int(bad > 0)


def _told(seed):
    """The complaints about a table, three of which are printed."""
    try:
        complaints = judged(seed)
    except (ArithmeticError, RuntimeError, ValueError, Warning) as error:
        complaints = [f"{type(error).__name__}: {error}"]
    for text in complaints[:3]:
        print(f"{seed} {'+'.join(drawn(seed)[-1])}: {text}", flush=True)
    return complaints
