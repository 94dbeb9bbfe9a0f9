from typing import Any

from numpy.typing import NDArray

A = NDArray[Any]

def disjoint_columns(indices: A, indptr: A, most_rows: int, n_classes: int, rows: A, label: A) -> None: ...
def block_gram(
    data: A,
    indices: A,
    indptr: A,
    weight: A,
    place: A,
    position: A,
    begin: A,
    border: bool,
    diagonal: A,
    cross: A,
    inner: A,
) -> None: ...
