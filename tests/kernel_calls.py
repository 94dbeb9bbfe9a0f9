"""A valid call of every compiled function, from which others are made."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ladreg._kernels import (
    _blocks,
    _cd,
    _dual_norms,
    _gram,
    _hash_groups,
    _homotopy,
    _interior_point,
    _line_search,
    _parametric,
    _rows,
    _simplex,
)

MODULES = (
    _blocks, _cd, _gram, _hash_groups, _homotopy, _interior_point, _rows, _line_search, _parametric, _simplex,
    _dual_norms,
)  # fmt: skip
N, P = 7, 3
SEVERAL = np.array([0.5, 1.25, 2.0, 0.75, 1.5, 0.25, 1.0])
TABLE = np.array([[1, 2, 0], [0, 1, 3], [2, 0, 1], [1, 1, 1], [0, 2, 0], [3, 0, 2], [1, 0, 1]], dtype=float)
GRAM = TABLE.T @ TABLE / N
ROWS, COLUMNS = np.nonzero(TABLE)
BY_COLUMNS = np.lexsort((ROWS, COLUMNS))


@dataclass(frozen=True)
class Call:
    """A valid call: `written` arguments are changed, `listed` ones hold indices.

    `free` ones have any length.
    """

    function: Any
    make: Any
    written: tuple[str, ...]
    listed: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)

    @property
    def name(self):
        return self.function.__name__


def some(n, start=0):
    return np.roll(SEVERAL, start)[:n].copy()


def signed(n, start=0):
    return some(n, start) * np.where(np.arange(n) % 2, -1.0, 1.0)


def room(n=N):
    return np.zeros(n, dtype=np.intp)


def burst(**first):
    return {
        **first,
        "center": some(P), "scale": np.ones(P), "weight": some(N), "curvature": some(P), "strength": some(P) / 10,
        "ridge": np.zeros(P), "positive": False, "features": np.array([2, 0, 1], dtype=np.intp), "n_epochs": 2,
        "coef": np.zeros(P), "residual": signed(N),
    }  # fmt: skip


def sparse(order, pointer, index=np.int32):
    return {
        "data": TABLE[ROWS, COLUMNS][order],
        "indices": (ROWS if order is BY_COLUMNS else COLUMNS)[order].astype(index),
        "indptr": np.concatenate([[0], np.cumsum(np.bincount(pointer))]).astype(index),
    }


def settling():
    return {
        "gram": GRAM.copy(), "strength": some(P) / 10, "positive": False, "max_steps": 20, "tolerance": 1e-12,
        "coef": np.zeros(P), "slope": signed(P), "support": np.arange(P), "factor": np.linalg.cholesky(GRAM), "size": P,
        "lower": -some(P, 2), "upper": some(P, 1),
    }  # fmt: skip


def following():
    return {
        "gram": GRAM.copy(), "known": np.ones(P, dtype=bool), "unit": some(P),
        "positive": False, "alphas": np.array([0.1, 0.05]), "max_steps": 20, "budget": 100, "rounding": 1e-14,
        "coef": np.zeros(P), "slope": signed(P), "support": np.arange(P), "factor": np.linalg.cholesky(GRAM), "size": P,
        "coefs": np.zeros((2, P)), "slopes": np.zeros((2, P)), "n_steps": room(2), "done": room(2), "at": 0, "used": 0,
        "lower": -some(P, 2), "upper": some(P, 1),
    }  # fmt: skip


def walking():
    return {
        "X": TABLE.copy(), "shift": some(P), "scale": np.ones(P), "root": some(N), "y": signed(N),
        "products": (TABLE - some(P)).T @ (some(N) * signed(N)), "strength": some(P, 1), "positive": False,
        "alphas": np.array([2.0, 0.5, 0.1]), "room": P, "largest": P, "reach": 0.5, "budget": 50, "most_knots": 50,
        "count": room(3), "found": room(3 * P), "values": np.zeros(3 * P), "n_knots": room(3), "clear": 0.01,
        "constant": 1e-28, "uncertain": np.zeros(P, dtype=bool),
    }  # fmt: skip


def slopes():
    return {"slope": np.stack([signed(P), some(P, 1)]), "strength": some(P, 2), "positive": False}


def rows(*names):
    """Arguments of the passes over rows and of the interior point method, by their names."""
    values = {
        "X": TABLE, "shift": some(P), "center": some(P), "coef": signed(P), "y": signed(N), "offset": 0.5,
        "weight": some(N, 1), "lower": -0.3, "upper": 0.7, "dual": signed(N, 2), "out": np.zeros(N),
        "slope": np.zeros(P), "size": np.zeros(P), "total": np.zeros(P), "known": np.zeros((4, P)),
        "residual": signed(N), "moved": signed(N, 3), "reach": 2.0, "lengths": np.zeros(N), "rises": np.zeros(N),
        "values": some(N, 1), "weights": some(N, 4), "goal": 1.0, "rate": 0.1, "length": 0.7, "changed": room(),
        "slack": 0.1, "rows": room(), "radius": 0.5, "keys": some(N), "groups": room(), "first": room(),
        "a": some(N), "s": some(N, 1), "under": some(N, 2), "over": some(N, 3), "q": some(N, 4), "pushed": np.zeros(N),
        "bold": 0.9, "da": signed(N) / 9, "middle": 0.01,
        "dunder": signed(N) / 9, "dover": signed(N, 1) / 9, "primal": 0.5, "rest": 0.6,
        "above": np.zeros(N, dtype=bool), "near": room(), "turned": room(),
    }  # fmt: skip
    return lambda: {name: np.copy(values[name]) if np.ndim(values[name]) else values[name] for name in names}


def exchanging():
    basis = np.array([0, 1, 2], dtype=np.intp)
    residual = signed(N)
    residual[basis] = 0.0
    lower, upper = -some(N), some(N, 1)
    dual = np.where(residual > 0, upper, lower)
    dual[basis] = 0.0
    return {
        "A": TABLE.copy(), "residual": residual, "lower": lower, "upper": upper, "goal": -TABLE.T @ dual,
        "basis": basis, "inverse": np.linalg.inv(TABLE[basis]), "inside": np.zeros(P), "tolerance": 1e-9,
        "most": 50,
    }  # fmt: skip


def several(factor):
    """Two problems of five rows that share two of them, with weights of their own."""
    start, number = np.array([0, 2], dtype=np.intp), 2
    return {
        "A": TABLE.copy(), "y": signed(N), "weight": np.append(some(5), some(5, 1)), "linear": np.zeros((number, P)),
        "lower": np.array([-0.5, -0.25]), "upper": np.array([0.5, 0.75]), "count": np.array([5, 5], dtype=np.intp),
        "row_at": start, "y_at": start.copy(), "weight_at": np.array([0, 5], dtype=np.intp),
        "dual_at": np.array([0, 5], dtype=np.intp),
        "factor": np.linalg.cholesky(GRAM) if factor else None, "point": np.zeros((number, P)),
        "basis": np.zeros((number, P), dtype=np.intp), "dual": np.zeros(10), "exchanges": room(number), "steps": 2,
        "per_column": 2, "most": 50, "tolerance": 1e-9, "zero": 1e-12,
    }  # fmt: skip


def near():
    """Two folds of seven rows near zero, two penalised coefficients and a free one."""
    weight, strength = np.column_stack([some(N), some(N, 1) * (np.arange(N) != 2)]), some(P) / 10
    strength[2] = 0.0
    return {
        "A": TABLE.copy(), "y": signed(N), "residual": signed(N), "weight": weight, "at": np.zeros(P),
        "strength": strength, "hessian": GRAM.copy(), "linear": (weight * np.sign(signed(N))[:, None]).T @ TABLE / 2,
        "lower": -0.5, "upper": 0.5, "point": np.zeros((2, P)),
        "exchanges": room(2), "rows": 4, "steps": 2, "per_column": 2, "most": 50,
        "tolerance": 1e-9, "zero": 1e-12, "rounding": 1e-14,
    }  # fmt: skip


def falling():
    y, side = signed(N), np.where(signed(N) > 0, 1.0, -1.0)
    return {
        "rows": TABLE.copy(), "columns": TABLE.T.copy(), "y": np.stack([y, y]), "weight": np.stack([some(N, 1)] * 2),
        "strength": np.stack([some(P)] * 2), "centre": np.zeros((2, P)), "widening": True, "lower": -0.5,
        "upper": 0.5, "kind": room(P), "size": 0, "basis": room(P),
        "active": room(P), "sign": np.ones(P), "inverse": np.zeros((P, P)), "side": side, "alpha": 50.0,
        "alphas": np.array([0.1]), "knots": np.zeros(12), "by_long_steps": False, "near": 3,
        "coef": np.zeros((12, P)), "dual": np.zeros((12, N)), "sizes": room(12), "exchanges": room(12),
        "read": room(12), "most": 50,
    }  # fmt: skip


def falling_by_long_steps():
    return falling() | {"alphas": np.geomspace(50.0, 0.1, 12), "knots": None, "by_long_steps": True}


def grouped(index):
    """A table of three dummies, two other columns and an intercept, its last row without a dummy."""
    columns = np.array([0, 3, 4, 1, 4, 2, 3, 1, 3, 4, 0, 2, 3, 4])
    starts = np.array([0, 3, 5, 7, 10, 11, 12, 14])
    return columns.astype(index), starts.astype(index)


def in_blocks(index):
    columns, starts = grouped(index)
    return {
        "data": np.arange(1.0, 15.0), "indices": columns, "indptr": starts, "weight": some(N),
        "place": np.array([-1, -2, -3, 0, 1], dtype=np.intp),
        "position": np.array([0, 0, 1, 0, 4, 0, 6, 0, 3, 4, 0, 0, 0, 0], dtype=index),
        "begin": np.array([0, 3, 6, 8], dtype=index), "border": True,
        "diagonal": np.zeros(3), "cross": np.zeros(8), "inner": np.zeros((3, 3)),
    }  # fmt: skip


def full_blocks():
    """`in_blocks` where every product of D and S is stored, and no place of one."""
    none = np.zeros(0, dtype=np.int32)
    return in_blocks(np.int64) | {"position": none, "begin": np.array([0, 3, 6, 9], np.int32), "cross": np.zeros(9)}


def disjoint(index):
    columns, starts = grouped(index)
    return {
        "indices": columns, "indptr": starts, "most_rows": 3, "n_classes": 2, "rows": np.zeros(14, dtype=index),
        "label": room(5),
    }  # fmt: skip


STATE = ("a", "s", "under", "over")
HUGE = 2**63 - 1
CALLS = [
    Call(_cd.dense_burst, lambda: burst(X=TABLE.copy()), ("coef", "residual"), ("features",), ("features",)),
    *(
        Call(
            _cd.sparse_burst,
            lambda index=index: {**burst(**sparse(BY_COLUMNS, COLUMNS, index)), "move": 0.0},
            ("coef", "residual"),
            ("features", "indices", "indptr"),
            ("features",),
        )
        for index in (np.int32, np.int64)
    ),
    Call(
        _gram.gram_burst,
        lambda: {"gram": GRAM.copy(), "strength": some(P) / 10, "positive": False, "n_epochs": 3}
        | {"coef": np.zeros(P), "slope": signed(P), "lower": -some(P, 2), "upper": some(P, 1)},
        ("coef", "slope"),
    ),
    Call(
        _gram.settle,
        settling,
        ("coef", "slope", "support", "factor"),
        ("support",),
        limits={"size": HUGE},
    ),
    Call(
        _gram.follow,
        following,
        ("coef", "slope", "support", "factor", "coefs", "slopes", "n_steps", "done"),
        ("support",),
        limits={"size": HUGE},
    ),
    *(
        Call(
            _blocks.disjoint_columns,
            lambda index=index: disjoint(index),
            ("rows", "label"),
            ("indices", "indptr"),
            free=("label",),
            limits={"most_rows": HUGE, "n_classes": 64},
        )
        for index in (np.int32, np.int64)
    ),
    *(
        Call(
            _blocks.block_gram,
            lambda index=index: in_blocks(index),
            ("diagonal", "cross", "inner"),
            ("indices", "indptr", "position", "begin"),
            free=("place",),
        )
        for index in (np.int32, np.int64)
    ),
    Call(
        _blocks.block_gram, full_blocks, ("diagonal", "cross", "inner"), ("indices", "indptr", "begin"), free=("place",)
    ),
    Call(_hash_groups.group, rows("keys", "groups", "first"), ("groups", "first")),
    Call(_homotopy.homotopy, walking, ("count", "found", "values", "n_knots", "uncertain")),
    Call(_dual_norms.largest_parts, lambda: {**slopes(), "part": np.zeros(2), "where": room(2)}, ("part", "where")),
    Call(
        _dual_norms.reaching,
        lambda: {**slopes(), "edge": some(2), "counts": room(2), "features": room(5)},
        ("counts", "features"),
        free=("features",),
    ),
    Call(_interior_point.weigh, rows(*STATE, "q"), ("q",)),
    Call(_interior_point.predict, rows(*STATE, "residual", "bold", "moved"), ("moved",)),
    Call(_interior_point.correct, rows(*STATE, "residual", "da", "middle", "pushed"), ("pushed",)),
    Call(
        _interior_point.direct,
        rows(*STATE, "residual", "middle", "bold", "moved", "da", "dover"),
        ("moved", "da", "dover"),
    ),
    Call(_interior_point.step, rows(*STATE, "da", "dunder", "dover", "primal", "rest"), STATE),
    Call(_rows.forward, rows("X", "shift", "coef", "y", "offset", "out"), ("out",), optional=("shift",)),
    Call(_rows.backward, rows("X", "shift", "dual", "slope"), ("slope",), optional=("shift",)),
    Call(
        _rows.sweep,
        rows("X", "shift", "coef", "y", "offset", "weight", "lower", "upper", "out", "slope"),
        ("out", "slope"),
        optional=("shift",),
    ),
    Call(
        _rows.audit,
        rows("X", "shift", "coef", "y", "offset", "weight", "dual", "out", "slope", "size"),
        ("out", "slope", "size"),
        optional=("shift", "size"),
    ),
    Call(_rows.magnitudes, rows("X", "shift", "weight", "size"), ("size",), optional=("shift",)),
    Call(_rows.curvatures, rows("X", "center", "weight", "total"), ("total",)),
    Call(
        _rows.products,
        lambda: rows("X", "shift")()
        | {"root": some(N), "features": np.array([2, 0], dtype=np.intp), "gram": np.zeros((2, 2))},
        ("gram",),
        ("features",),
        optional=("shift", "root"),
    ),
    Call(_rows.column_stats, rows("X", "known"), ("known",), free=("X",)),
    *(
        Call(
            _rows.sparse_gram,
            lambda index=index: {**sparse(np.arange(ROWS.size), ROWS, index), "weight": some(N)}
            | {"gram": np.zeros((P, P))},
            ("gram",),
            ("indices", "indptr"),
        )
        for index in (np.int32, np.int64)
    ),
    Call(
        _line_search.crossings, rows("residual", "moved", "weight", "reach", "lengths", "rises"), ("lengths", "rises")
    ),
    Call(_line_search.weighted_select, rows("values", "weights", "goal", "rate"), ("values", "weights")),
    Call(_line_search.advance, rows("residual", "moved", "length", "changed"), ("residual", "changed")),
    Call(_line_search.crossed, rows("residual", "moved", "slack", "rows"), ("rows",)),
    Call(_line_search.sides, rows("residual", "lengths", "radius", "above", "near", "turned"), ("near", "turned")),
    Call(_line_search.off_ends, rows("residual", "dual", "weight", "lower", "upper", "rows"), ("rows",)),
    Call(_line_search.within, rows("residual", "radius", "rows"), ("rows",)),
    Call(
        _parametric.parametric,
        falling,
        (
            "kind", "basis", "active", "sign", "inverse", "side", "knots", "coef", "dual", "sizes", "exchanges", "read",
        ),
        ("basis", "active"),
    ),
    Call(
        _parametric.parametric,
        falling_by_long_steps,
        ("kind", "basis", "active", "sign", "inverse", "side", "coef", "dual", "sizes", "exchanges", "read"),
        ("basis", "active"),
    ),
    Call(
        _simplex.pivot,
        exchanging,
        ("residual", "goal", "basis", "inverse", "inside"),
        ("basis",),
        limits={"most": HUGE},
    ),
    *(
        Call(
            _simplex.vertices,
            lambda factor=factor: several(factor),
            ("point", "basis", "dual", "exchanges"),
            ("count", "row_at", "y_at", "weight_at", "dual_at"),
            free=("A", "y", "weight", "dual"),
            optional=("factor",),
            limits={"steps": HUGE, "per_column": HUGE, "most": HUGE},
        )
        for factor in (False, True)
    ),
    Call(
        _simplex.near_vertices,
        near,
        ("point", "exchanges"),
        limits={"rows": HUGE, "steps": HUGE, "per_column": HUGE, "most": HUGE},
    ),
]  # fmt: skip
