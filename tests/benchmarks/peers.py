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


def with_rows(fit, alpha):
    """Penalised LAD as plain LAD without intercept: the penalty becomes rows, the intercept a column of ones."""

    def wrapped(X, y):
        n_samples, n_features = X.shape
        rows = np.hstack([n_samples * alpha * np.eye(n_features), np.zeros((n_features, 1))])
        longer = np.vstack([np.column_stack([X, np.ones(n_samples)]), rows])
        coef, _ = fit(longer, np.append(y, np.zeros(n_features)))
        return coef[:-1], float(coef[-1])

    return wrapped


def plain(model):
    """Coefficients and intercepts as the estimator gives them, several where it solves several problems."""

    def fit(X, y):
        model.fit(X, y)
        return model.coef_, model.intercept_

    return fit


def one_by_one(fits):
    """Several problems, one after the other."""

    def fit(X, y):
        answers = [single(X, y) for single in fits]
        return np.array([coef for coef, _ in answers]), np.array([intercept for _, intercept in answers])

    return fit


def in_r(expression, package="quantreg", clock="elapsed"):
    """R with a package, timed inside R without the transfer of data.

    `expression` gives the coefficients, of several problems in columns, from X (with a first column of ones), y, n, p.
    """

    def fit(X, y):
        with tempfile.TemporaryDirectory() as folder:
            np.asfortranarray(X).ravel(order="F").tofile(Path(folder, "X"))
            y.tofile(Path(folder, "y"))
            code = (
                f"suppressMessages(library({package})); set.seed(0); n <- {y.size}; p <- {X.shape[1]};"
                "X <- cbind(1, matrix(readBin('X', 'double', n * p), n)); y <- readBin('y', 'double', n);"
                f"t <- system.time(b <- {expression})[['{clock}']]; writeBin(c(t, as.vector(b)), 'out')"
            )
            subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, text=True, check=True)
            seconds, *found = np.fromfile(Path(folder, "out"))
        found = np.reshape(found, (-1, X.shape[1] + 1))
        if found.shape[0] == 1:
            return found[0, 1:], float(found[0, 0]), seconds
        return found[:, 1:], found[:, 0], seconds

    return fit


def in_library_of_r(package):
    """Whether R is there, and has a package."""
    code = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return (
        bool(shutil.which("Rscript")) and subprocess.run(["Rscript", "-e", code], capture_output=True).returncode == 0
    )


def quantreg(method):
    """R's quantreg for the median."""
    return in_r(f"rq.fit(X, y, tau = 0.5, method = '{method}')$coefficients")


def installed(*modules):
    """Whether all of them can be imported."""
    return all(importlib.util.find_spec(module) for module in modules)


def lad_rivals():
    """Those that are installed, with the sizes that they can be waited for."""
    rivals = [
        Rival("ladreg", adapter(LADRegressor())),
        Rival("scikit-learn QuantileRegressor", adapter(QuantileRegressor(quantile=0.5, alpha=0.0)), 4e5),
    ]
    if installed("pinball"):
        import pinball

        for method, limit in (("br", 4e5), ("fn", 2e7), ("pfn", 5e7)):
            rivals.append(Rival(f"pinball-qr {method}", adapter(pinball.QuantileRegressor(0.5, method=method)), limit))
    if installed("pyqreg"):
        import pyqreg

        rivals.append(Rival("pyqreg2", with_ones(lambda X, y: pyqreg.QuantReg(y, X).fit(0.5).params), 2e6))
    if installed("statsmodels"):
        from statsmodels.regression.quantile_regression import QuantReg

        rivals.append(Rival("statsmodels", with_ones(lambda X, y: QuantReg(y, X).fit(0.5).params), 2e6))
    if installed("sklego"):
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
