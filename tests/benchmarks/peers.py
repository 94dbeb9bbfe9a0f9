"""Adapters: one for each rival in least absolute deviations, from (X, y) to (coef, intercept)."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import HuberRegressor, LinearRegression, QuantileRegressor, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from ladreg import LADRegressor
from tests.benchmarks.harness import Rival


def adapter(estimator):
    """A rival that speaks scikit-learn's language."""

    def fit(X, y):
        fitted = estimator.fit(X, y)
        return np.asarray(fitted.coef_, dtype=float).ravel(), float(np.ravel(fitted.intercept_)[0])

    return fit


def standardised(estimator):
    """A rival that needs columns of unit variance; its coefficients are brought back to those of X."""

    def fit(X, y):
        scaler, fitted = (step for _, step in make_pipeline(StandardScaler(), estimator).fit(X, y).steps)
        coef = fitted.coef_.ravel() / scaler.scale_
        return coef, float(np.ravel(fitted.intercept_)[0] - scaler.mean_ @ coef)

    return fit


def product(X, y):
    """Not a fit: one X @ b, the yardstick of what reading X costs."""
    X @ np.ones(X.shape[1])
    return np.zeros(X.shape[1]), float(np.median(y))


def with_ones(fit):
    """A rival that takes the intercept as a last column."""

    def wrapped(X, y):
        params = np.asarray(fit(np.column_stack([X, np.ones(y.size)]), y))
        return params[:-1], float(params[-1])

    return wrapped


def quantreg(method):
    """R's quantreg, timed inside R without the transfer of data."""

    def fit(X, y):
        with tempfile.TemporaryDirectory() as folder:
            np.asfortranarray(X).ravel(order="F").tofile(Path(folder, "X"))
            y.tofile(Path(folder, "y"))
            code = (
                f"suppressMessages(library(quantreg)); setwd('{folder}'); n <- {y.size}; p <- {X.shape[1]};"
                "X <- cbind(1, matrix(readBin('X', 'double', n * p), n)); y <- readBin('y', 'double', n);"
                f"t <- system.time(f <- rq.fit(X, y, tau = 0.5, method = '{method}'))[['elapsed']];"
                "cat(format(c(t, f$coefficients), digits = 17))"
            )
            done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
        seconds, intercept, *coef = map(float, done.stdout.split())
        return np.array(coef), intercept, seconds

    return fit


def lad_rivals():
    """Those that are installed, with the sizes that they can be waited for."""
    rivals = [
        Rival("ladreg", adapter(LADRegressor())),
        Rival("scikit-learn QuantileRegressor", adapter(QuantileRegressor(quantile=0.5, alpha=0.0)), 4e5),
    ]
    if importlib.util.find_spec("pinball"):
        import pinball

        for method, limit in (("br", 4e5), ("fn", 2e7), ("pfn", 5e7)):
            rivals.append(Rival(f"pinball-qr {method}", adapter(pinball.QuantileRegressor(0.5, method=method)), limit))
    if importlib.util.find_spec("pyqreg"):
        import pyqreg

        rivals.append(Rival("pyqreg2", with_ones(lambda X, y: pyqreg.QuantReg(y, X).fit(0.5).params), 2e6))
    if importlib.util.find_spec("statsmodels"):
        from statsmodels.regression.quantile_regression import QuantReg

        rivals.append(Rival("statsmodels", with_ones(lambda X, y: QuantReg(y, X).fit(0.5).params), 2e6))
    if importlib.util.find_spec("sklego"):
        from sklego.linear_model import LADRegression

        rivals.append(Rival("scikit-lego LADRegression", adapter(LADRegression()), 1e4))
    if shutil.which("Rscript"):
        for method, limit in (("br", 4e5), ("fn", 2e7), ("pfn", 5e7)):
            rivals.append(Rival(f"R quantreg {method}", quantreg(method), limit))
    return [
        *rivals,
        Rival("HuberRegressor(epsilon=1.0)", adapter(HuberRegressor(epsilon=1.0, max_iter=1000)), 2e6),
        Rival("LinearSVR(epsilon=0)", standardised(LinearSVR(epsilon=0.0, C=10.0, max_iter=10_000)), 4e5),
        Rival("SGDRegressor(epsilon=0)", standardised(_sgd()), 4e5),
        Rival("LinearRegression", adapter(LinearRegression())),
        Rival("one X @ b", product),
    ]


def _sgd():
    return SGDRegressor(loss="epsilon_insensitive", epsilon=0.0, penalty=None, max_iter=1000, random_state=0)
