"""Random data that are nasty on purpose: every ill on its own, and all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from tests.campaign.majority import settle

# Powers of ten between which y, columns and weights are scaled.
FAR = 150
# Integers from here on stand for problems of all kinds; smaller ones, of which some were recorded, go on to stand for
# problems of the kinds that there were first.
ALL_KINDS = 10**12
# Problems from here on have options as well (see `options`), drawn by a generator of their own.
ALL_OPTIONS = 2 * 10**12
# How often a table gets a factor with dozens of levels.
GROUPED = 0.04
COLUMNS = ("normal", "integer", "dummies", "leverage", "powers", "correlated", "repeated rows")
TARGETS = ("normal", "integer", "constant", "exact", "few values", "outliers", "zero")


@dataclass
class Case:
    """One data set, and the ills that were drawn for it."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    ills: list[str] = field(default_factory=list)
    container: str = "dense"
    # Rows whose targets are gross outliers, and y with these near.
    outliers: np.ndarray | None = None
    near: np.ndarray | None = None
    # Columns that are to be free of any penalty; None where the model draws them.
    free: np.ndarray | None = None
    all_kinds: bool = True
    # Whether there is a factor with dozens of levels.
    grouped: bool = False
    # Targets beside y, of shape (n_samples, n_others).
    others: np.ndarray | None = None

    @property
    def targets(self):
        """y as it is handed to the estimator."""
        return self.y if self.others is None else np.column_stack([self.y, self.others])

    def contained(self):
        """X as it is handed to the estimator."""
        if self.container == "dense":
            return self.X
        if self.container == "fortran":
            return np.asfortranarray(self.X)
        if self.container == "strided":
            return np.repeat(self.X, 2, axis=1)[:, ::2]
        return {"csr": sp.csr_array, "csc": sp.csc_matrix}[self.container](self.X)


def draw(rng, *, tiny=False, all_kinds=True):
    """A data set; `tiny` ones are small enough for rational arithmetic, and have few digits."""
    most = (6, 2) if tiny else (40, 10)
    n_samples, n_features = int(rng.integers(1, most[0] + 1)), int(rng.integers(1, most[1] + 1))
    kind = str(rng.choice(COLUMNS))
    X = _columns(rng, kind, n_samples, n_features)
    case = Case(X, np.zeros(n_samples), None, [kind], all_kinds=all_kinds)
    _sicken_columns(rng, case)
    forced, settled = rng.spawn(2)
    if all_kinds and not tiny:
        grouped = settled.spawn(1)[0]
        if grouped.random() < GROUPED:
            _group(grouped, case)
        _nearly_equal(forced, case)
        if forced.random() < 0.2:
            _force_in(forced, case)
    _target(rng, case)
    if all_kinds and not tiny:
        settle(settled, case)
    _weights(rng, case)
    if tiny:
        case.X, case.y = np.round(case.X, 2), np.round(case.y, 2)
    _scales(rng, case)
    if rng.random() < 0.15:
        order = np.argsort(case.X[:, 0], kind="stable")
        case.X, case.y = case.X[order], case.y[order]
        case.weight = None if case.weight is None else case.weight[order]
        case.ills.append("sorted rows")
    case.container = str(rng.choice(["dense", "fortran", "strided", "csr", "csc"], p=[0.6, 0.1, 0.05, 0.15, 0.1]))
    if case.grouped:
        case.container = "csc" if case.container == "csc" else "csr"
    return case


def _columns(rng, kind, n_samples, n_features):
    X = rng.standard_normal((n_samples, n_features))
    if kind == "integer":
        return rng.integers(-2, 3, X.shape).astype(float)
    if kind == "dummies":
        levels = rng.integers(0, n_features, n_samples)
        return (levels[:, None] == np.arange(n_features)).astype(float)
    if kind == "leverage":
        return X * np.exp(3 * rng.standard_normal((n_samples, 1)))
    if kind == "powers":
        return np.power.outer(rng.uniform(0, 2, n_samples), np.arange(1, n_features + 1))
    if kind == "correlated":
        return X[:, :1] + 10.0 ** -rng.integers(1, 7) * X
    if kind == "repeated rows":
        return X[rng.integers(0, max(1, n_samples // 3), n_samples)]
    return X


def _sicken_columns(rng, case):
    X = case.X
    n_features = X.shape[1]
    j, k = rng.integers(0, n_features, 2)
    ill = rng.random(5) < 0.1
    if ill[0]:
        X[:, j] = 3.0
        case.ills.append("constant column")
    if ill[1]:
        X[:, k] = 0.0
        case.ills.append("column of zeros")
    if ill[2] and n_features > 1:
        X[:, j] = X[:, j - 1]
        case.ills.append("equal columns")
    if ill[3] and n_features > 2:
        X[:, j] = X[:, j - 1] - 2 * X[:, j - 2]
        case.ills.append("dependent columns")
    if ill[4]:
        X[:, j] += 10.0 ** rng.integers(1, 7)
        case.ills.append("far from the origin")


def _nearly_equal(rng, case):
    """A column that is another one but for a part of 1e-3 to 1e-9, at times."""
    X = case.X
    if rng.random() < 0.1 and X.shape[1] > 1:
        k = int(rng.integers(X.shape[1]))
        X[:, k] = X[:, k - 1] + 10.0 ** -rng.integers(3, 10) * X[:, k]
        case.ills.append("nearly equal columns")


def _force_in(rng, case):
    """Columns that depend on each other or on the column of ones, and should cost nothing, before the others."""
    n_samples = case.y.size
    kind = str(rng.choice(["one-hot", "two factors", "duplicates", "sums", "nearly equal"]))
    if kind in ("one-hot", "two factors"):
        sizes = rng.integers(2, 5, 1 if kind == "one-hot" else 2)
        Z = np.hstack([(rng.integers(0, k, n_samples)[:, None] == np.arange(k)).astype(float) for k in sizes])
    else:
        Z = rng.standard_normal((n_samples, 3))
        Z[:, 2] = {
            "duplicates": 2.2046 * Z[:, 0] if rng.random() < 0.5 else Z[:, 0],
            "sums": Z[:, 0] + Z[:, 1],
            "nearly equal": Z[:, 0] + 10.0 ** -rng.integers(3, 10) * Z[:, 2],
        }[kind]
    free = np.zeros(case.X.shape[1], dtype=bool) if case.free is None else case.free
    case.X = np.hstack([Z, case.X])
    case.free = np.append(np.ones(Z.shape[1], dtype=bool), free)
    case.ills.append(f"forced in: {kind}")


def _group(rng, case):
    """Dummies of dozens of levels, and perhaps of a second factor, before the other columns; up to four rows a level.

    Some levels have no row. Rows of the other columns repeat.
    """
    sizes = [int(rng.integers(33, 61)), *rng.integers(2, 8, int(rng.integers(0, 2)))]
    n_samples = int(sizes[0] * rng.uniform(1, 4))
    dummies = [(rng.integers(0, k, n_samples)[:, None] == np.arange(k)).astype(float) for k in sizes]
    if rng.random() < 0.3:
        dummies[0] = dummies[0][:, 1:]
    columns = case.X[rng.integers(0, case.y.size, n_samples)]
    if rng.random() < 0.5:
        columns = columns + rng.standard_normal(columns.shape)
    case.X, case.y, case.grouped = np.hstack([*dummies, columns]), np.zeros(n_samples), True
    if rng.random() < 0.5:
        case.free = np.arange(case.X.shape[1]) < sum(part.shape[1] for part in dummies)
    case.ills.append("groups" if len(sizes) == 1 else "crossed groups")


def _target(rng, case):
    n_samples, n_features = case.X.shape
    kind = str(rng.choice(TARGETS))
    case.ills.append(f"y {kind}")
    noise = rng.standard_normal(n_samples)
    coef = rng.standard_normal(n_features) * (rng.random(n_features) < 0.5)
    case.y = {
        "normal": lambda: case.X @ coef + noise,
        "integer": lambda: rng.integers(0, 4, n_samples).astype(float),
        "constant": lambda: np.full(n_samples, float(rng.integers(-2, 3))),
        "exact": lambda: case.X @ rng.integers(-2, 3, n_features).astype(float),
        "few values": lambda: (rng.random(n_samples) < 0.2).astype(float),
        "outliers": lambda: noise + np.where(rng.random(n_samples) < 0.2, 1e8, 0.0),
        "zero": lambda: np.zeros(n_samples),
    }[kind]()


def _weights(rng, case):
    n_samples = case.y.size
    kind = rng.integers(6)
    if kind < 3:
        return
    weight = [rng.integers(0, 4, n_samples).astype(float), rng.exponential(1.0, n_samples), np.ones(n_samples)][
        kind - 3
    ]
    if rng.random() < 0.3:
        weight[rng.random(n_samples) < 0.3] = 1e-10
        weight[rng.random(n_samples) < 0.1] = 1e12
        case.ills.append("weights of 1e-10 and 1e12")
    weight[rng.integers(n_samples)] += 1.0
    case.weight = weight
    case.ills.append(("integer weights", "weights", "equal weights")[kind - 3])


def _scales(rng, case):
    ill = rng.random(4) < 0.12
    if ill[0]:
        case.y = case.y + 1e9
        case.ills.append("y + 1e9")
    if ill[1]:
        case.y = case.y * _power(rng)
        case.ills.append("y scaled")
    if ill[2]:
        case.X = case.X * (_power(rng) if rng.random() < 0.5 else 10.0 ** rng.integers(-9, 10, case.X.shape[1]))
        case.ills.append("columns scaled")
    if ill[3]:
        case.weight = (np.ones(case.y.size) if case.weight is None else case.weight) * _power(rng)
        case.ills.append("weights scaled")


def _power(rng):
    return 10.0 ** int(rng.integers(-FAR, FAR + 1))
