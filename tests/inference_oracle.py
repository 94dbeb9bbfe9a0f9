"""Inference for quantiles from its definitions, slow and in plain NumPy: X has a column of ones, nothing is centred.

Reference values are in `data/inference`, whose README says where they come from.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.stats import norm

from ladreg import QuantileRegressor

FOLDER = Path(__file__).parent / "data" / "inference"
COLUMNS = {
    "engel": ("foodexp", ["income"]),
    "stackloss": ("stack.loss", ["Air.Flow", "Water.Temp", "Acid.Conc."]),
    "barro": ("y.net", ["lgdp2", "fse2", "gedy2", "Iy2", "gcony2"]),
    "het60": ("y", ["x1", "x2", "d"]),
    "het500": ("y", ["x1", "x2", "d"]),
}
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
# quantreg subtracts this number, in units of y, from the differences of neighbouring quantiles.
THEIR_EPSILON = np.finfo(float).eps ** 0.5


@cache
def load(name):
    """X and y of a data set."""
    target, columns = COLUMNS[name]
    frame = pd.read_csv(FOLDER / f"{name}.csv")
    return frame[columns].astype(float), frame[target].to_numpy(float)


def reference(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def hall_sheather(n, tau, alpha=0.05):
    z = norm.ppf(tau)
    h = n ** (-1 / 3) * norm.ppf(1 - alpha / 2) ** (2 / 3) * (1.5 * norm.pdf(z) ** 2 / (2 * z * z + 1)) ** (1 / 3)
    while tau - h <= 0 or tau + h >= 1:
        h /= 2
    return h


def fit(Z, y, tau, weight=None):
    return _fit(Z.tobytes(), y.tobytes(), tau, None if weight is None else weight.tobytes())


@cache
def _fit(Z, y, tau, weight):
    """Of numbers as bytes, since many definitions start from the same fits."""
    y, weight = np.frombuffer(y), None if weight is None else np.frombuffer(weight)
    model = QuantileRegressor(quantile=tau, alpha=0, fit_intercept=False)
    return model.fit(np.frombuffer(Z).reshape(y.size, -1), y, sample_weight=weight).coef_


def repeated(values, counts):
    """The order statistics of rows repeated by whole numbers."""
    return np.sort(np.repeat(values, counts.astype(int)))


class Oracle:
    """One quantile's fit to X, which has no column of ones; frequency weights are whole numbers."""

    def __init__(self, X, y, tau, weight=None, weights="probability"):
        X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        weight = np.ones(y.size) if weight is None else np.asarray(weight, dtype=float)
        if weights == "probability":
            weight = weight * (y.size / weight.sum())
        self.Z, self.y, self.tau, self.weight = np.column_stack([np.ones(y.size), X]), y, tau, weight
        self.square = weight if weights == "frequency" else weight**2
        self.size, self.p = weight.sum(), self.Z.shape[1]
        self.h = hall_sheather(self.size, tau)
        self.coef = fit(self.Z, y, tau, weight)
        self.residual = y - self.Z @ self.coef

    def difference(self):
        above, below = (fit(self.Z, self.y, self.tau + side * self.h, self.weight) for side in (1, -1))
        return self.Z @ (above - below)

    def density(self, method):
        if method == "robust":
            d = self.difference()
            return np.array([2 * self.h / one if one > 1e-8 * np.median(np.abs(d)) else 0.0 for one in d])
        if method == "iid":
            sparsity = np.sum(self.weight[:, None] * self.Z, axis=0) / self.size
            above, below = (fit(self.Z, self.y, self.tau + side * self.h, self.weight) for side in (1, -1))
            return np.full(self.y.size, 2 * self.h / (sparsity @ (above - below)))
        width = norm.ppf(self.tau + self.h) - norm.ppf(self.tau - self.h)
        every = repeated(self.residual, self.weight)
        if method == "uniform":
            c = width * np.median(np.abs(every - np.median(every)))
            return (np.abs(self.residual) < c) / (2 * c)
        c = width * min(np.std(every, ddof=1), (np.quantile(every, 0.75) - np.quantile(every, 0.25)) / 1.34)
        return norm.pdf(self.residual / c) / c

    def bread(self, method):
        return np.linalg.inv(self.Z.T @ (self.Z * (self.weight * self.density(method))[:, None]))

    def meat(self):
        return self.Z.T @ (self.Z * self.square[:, None])

    def cov(self, method):
        bread = self.bread(method)
        return self.tau * (1 - self.tau) * bread @ self.meat() @ bread

    def scores(self):
        """Signs of residuals, and on the fit what balances all others (for p rows on the fit)."""
        on = np.argsort(np.abs(self.residual))[: self.p]
        score = np.where(self.residual > 0, self.tau, self.tau - 1)
        score[on] = 0.0
        rest = -self.Z.T @ (self.weight * score)
        score[on] = np.linalg.solve((self.Z[on] * self.weight[on, None]).T, rest)
        return score

    def serial(self, method, lags):
        """Every pair of rows, weighted by how far they are apart."""
        bread, scores = self.bread(method), self.Z * (self.weight * self.scores())[:, None]
        apart = np.abs(np.subtract.outer(np.arange(self.y.size), np.arange(self.y.size)))
        meat = scores.T @ np.maximum(1 - apart / (lags + 1), 0.0) @ scores
        return self.size / (self.size - self.p) * bread @ meat @ bread

    def clustered(self, method, groups):
        bread, scores = self.bread(method), self.weight * self.scores()
        labels = np.unique(groups)
        sums = np.array([self.Z[groups == label].T @ scores[groups == label] for label in labels])
        G = labels.size
        return G / (G - 1) * (self.size - 1) / (self.size - self.p) * bread @ sums.T @ sums @ bread


class RankOracle:
    """The rank statistic of one coefficient, its scores the optimum of the dual linear program."""

    def __init__(self, Z, y, j, tau, density=None, weight=None):
        self.x, self.others, self.y, self.tau = Z[:, j], np.delete(Z, j, axis=1), y, tau
        self.weight = np.ones(y.size) if weight is None else weight
        heavy = self.others * (self.weight if density is None else self.weight * density)[:, None]
        apart = self.x - self.others @ np.linalg.solve(heavy.T @ self.others, heavy.T @ self.x)
        self.scale = np.sqrt(tau * (1 - tau) * (self.weight @ apart**2))

    def statistic(self, xi):
        """T where the coefficient is xi."""
        heavy = self.others * self.weight[:, None]
        found = linprog(
            -self.weight * (self.y - xi * self.x),
            A_eq=heavy.T,
            b_eq=np.zeros(heavy.shape[1]),
            bounds=(self.tau - 1, self.tau),
            method="highs-ds",
        )
        return (self.weight * self.x) @ found.x / self.scale
