from typing import Any

import numpy as np
from numpy.typing import NDArray

def forward(
    X: NDArray[Any], shift: NDArray[Any] | None, coef: NDArray[Any], y: NDArray[Any], offset: float, out: NDArray[Any]
) -> None: ...
def backward(X: NDArray[Any], shift: NDArray[Any] | None, dual: NDArray[Any], slope: NDArray[Any]) -> float: ...
def sweep(
    X: NDArray[Any],
    shift: NDArray[Any] | None,
    coef: NDArray[Any],
    y: NDArray[Any],
    offset: float,
    weight: NDArray[Any],
    lower: float,
    upper: float,
    out: NDArray[Any],
    slope: NDArray[Any],
) -> float: ...
def audit(
    X: NDArray[Any],
    shift: NDArray[Any] | None,
    coef: NDArray[Any],
    y: NDArray[Any],
    offset: float,
    weight: NDArray[Any],
    dual: NDArray[Any],
    out: NDArray[Any],
    slope: NDArray[Any],
    size: NDArray[Any] | None,
) -> float: ...
def magnitudes(X: NDArray[Any], shift: NDArray[Any] | None, weight: NDArray[Any], size: NDArray[Any]) -> None: ...
def curvatures(X: NDArray[Any], center: NDArray[Any], weight: NDArray[Any], total: NDArray[Any]) -> None: ...
def products(
    X: NDArray[Any],
    shift: NDArray[Any] | None,
    root: NDArray[Any] | None,
    features: NDArray[np.intp],
    gram: NDArray[Any],
) -> None: ...
def column_stats(X: NDArray[Any], known: NDArray[Any]) -> None: ...
def sparse_gram(
    data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], weight: NDArray[Any], gram: NDArray[Any]
) -> None: ...
