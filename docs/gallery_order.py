"""How the gallery is made: its order, the quickstart first, and figures that suit light and dark pages."""

from typing import Any

import matplotlib as mpl

ORDER = (
    "quickstart",
    "plot_robust_losses",
    "plot_phone_calls",
    "plot_quantiles",
    "plot_intervals_categories",
    "plot_prediction_intervals",
    "plot_lasso_path",
    "plot_cv_curve",
    "plot_stability",
    "plot_lad_lasso",
    "plot_weights_of_features",
    "plot_bounds_adaptive",
    "plot_feature_selection",
    "plot_sparse_text",
    "plot_standard_errors",
    "plot_groups_of_rows",
    "plot_many_groups",
    "plot_million_rows",
    "larger_than_memory",
    "plot_certificate",
    "plot_canonical_optimum",
    "networks_torch",
)


class InOrder:
    """Key of a file for sphinx-gallery, which passes the folder, and then names."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> int:
        """Place of an example; one that is not listed is an error."""
        return ORDER.index(name.removesuffix(".py"))

    def __repr__(self) -> str:
        """The same text in each build, which Sphinx compares."""
        return "InOrder"


def transparent(_conf: Any, _name: str) -> None:
    """Draw figures without background, for a dark page shows its own through them (see ladreg.css)."""
    mpl.rcParams["savefig.transparent"] = True
