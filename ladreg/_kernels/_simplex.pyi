from typing import Any

from numpy.typing import NDArray

A = NDArray[Any]

def pivot(
    A: A,
    residual: A,
    lower: A,
    upper: A,
    goal: A,
    basis: A,
    inverse: A,
    inside: A,
    tolerance: float,
    most: int,
) -> int: ...
def vertices(
    A: A,
    y: A,
    weight: A,
    linear: A,
    lower: A,
    upper: A,
    count: A,
    row_at: A,
    y_at: A,
    weight_at: A,
    dual_at: A,
    factor: A | None,
    point: A,
    basis: A,
    dual: A,
    exchanges: A,
    steps: int,
    per_column: int,
    most: int,
    tolerance: float,
    zero: float,
) -> None: ...
def near_vertices(
    A: A,
    y: A,
    residual: A,
    weight: A,
    at: A,
    strength: A,
    hessian: A,
    linear: A,
    lower: float,
    upper: float,
    point: A,
    exchanges: A,
    rows: int,
    steps: int,
    per_column: int,
    most: int,
    tolerance: float,
    zero: float,
    rounding: float,
) -> None: ...
