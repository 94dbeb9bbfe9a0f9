"""What several rows of the table need."""

from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True, as_frame=True)
TABLE, TARGET = X.to_numpy(), y.to_numpy()


def raised(kind, call, *args, **options):
    """The message of the error of this kind that a call raises."""
    try:
        call(*args, **options)
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__} was raised")
