"""Trains the credit models on the UCI German Credit table and writes everything in this folder but the card."""

import csv
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common  # noqa: E402  (before NumPy: it pins the numeric kernels)

import numpy as np  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

# Column of the table -> its values in the order of their codes, or None for a number.
# Values in a scale's order are used as a number ("ordered"); the others are one-hot encoded in the graph ("category").
# Not among them: sex and marital status, age, foreign worker (see MODEL_CARD.md).
COLUMNS = {
    "status_of_existing_checking_account": (
        "category",
        [
            "... < 0 DM",
            "0 <= ... < 200 DM",
            "... >= 200 DM / salary assignments for at least 1 year",
            "no checking account",
        ],
    ),
    "duration_in_month": ("number", None),
    "credit_history": (
        "category",
        [
            "no credits taken/ all credits paid back duly",
            "all credits at this bank paid back duly",
            "existing credits paid back duly till now",
            "delay in paying off in the past",
            "critical account/ other credits existing (not at this bank)",
        ],
    ),
    "purpose": (
        "category",
        [
            "car (new)",
            "car (used)",
            "furniture/equipment",
            "radio/television",
            "domestic appliances",
            "repairs",
            "education",
            "retraining",
            "business",
            "others",
        ],
    ),
    "credit_amount": ("number", None),
    "savings_account_and_bonds": (
        "category",
        [
            "... < 100 DM",
            "100 <= ... < 500 DM",
            "500 <= ... < 1000 DM",
            "... >= 1000 DM",
            "unknown/ no savings account",
        ],
    ),
    "present_employment_since": (
        "ordered",
        ["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"],
    ),
    "installment_rate_in_percentage_of_disposable_income": ("number", None),
    "other_debtors_or_guarantors": ("category", ["none", "co-applicant", "guarantor"]),
    "present_residence_since": ("number", None),
    "property": (
        "category",
        [
            "real estate",
            "building society savings agreement/ life insurance",
            "car or other, not in attribute Savings account/bonds",
            "unknown / no property",
        ],
    ),
    "other_installment_plans": ("category", ["none", "bank", "stores"]),
    "housing": ("category", ["rent", "own", "for free"]),
    "number_of_existing_credits_at_this_bank": ("number", None),
    "job": (
        "ordered",
        [
            "unemployed/ unskilled - non-resident",
            "unskilled - resident",
            "skilled employee / official",
            "management/ self-employed/ highly qualified employee/ officer",
        ],
    ),
    "number_of_people_being_liable_to_provide_maintenance_for": ("number", None),
    "telephone": ("ordered", ["none", "yes, registered under the customers name"]),
}
TARGET = "creditability"
CLASSES = ["bad", "good"]


def read_table():
    """Inputs, labels, and ages (for the audit only) of all rows."""
    with open(FOLDER / "germancredit.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, (kind, values) in COLUMNS.items():
        if values is not None and {row[name] for row in rows} != set(values):
            raise SystemExit(f"{name}: the code book and the table disagree")
    encoded = [
        [
            float(row[name]) if values is None else values.index(row[name])
            for name, (_, values) in COLUMNS.items()
        ]
        for row in rows
    ]
    labels = np.array([CLASSES.index(row[TARGET]) for row in rows])
    return np.array(encoded, dtype=np.float32), labels, np.array([float(row["age_in_years"]) for row in rows])


def preprocessing():
    """Scales numbers and ordered codes, one-hot encodes the rest; an unknown code is an error, not a zero vector."""
    kinds = [kind for kind, _ in COLUMNS.values()]
    numeric = [i for i, kind in enumerate(kinds) if kind != "category"]
    categorical = [i for i, kind in enumerate(kinds) if kind == "category"]
    sizes = [len(values) for kind, values in COLUMNS.values() if kind == "category"]
    encoder = OneHotEncoder(categories=[np.arange(size) for size in sizes], handle_unknown="error")
    return ColumnTransformer([("scale", StandardScaler(), numeric), ("one_hot", encoder, categorical)])


def main():
    inputs, labels, ages = read_table()
    columns = [
        {"name": name, "kind": kind} | ({} if values is None else {"values": values})
        for name, (kind, values) in COLUMNS.items()
    ]
    models = {
        "logreg": make_pipeline(preprocessing(), LogisticRegression(C=0.3, max_iter=1000)),
        "mlp": make_pipeline(
            preprocessing(),
            MLPClassifier((24,), alpha=1.0, batch_size=50, max_iter=60, tol=0.0, random_state=common.SEED),
        ),
        # Numbers and codes as they are: trees need no scale, and codes did no worse than one-hot columns.
        "gbdt": common.boosted_trees(
            2, n_estimators=100, learning_rate=0.1, min_child_samples=10, reg_lambda=5.0, colsample_bytree=0.6
        ),
    }
    outputs, metrics, test = common.build_example(
        FOLDER,
        models,
        columns,
        CLASSES,
        inputs,
        labels,
        "Class 1: good credit. See MODEL_CARD.md.",
        ("applicants", ["rejected", "approved"]),
    )
    audited = np.column_stack([inputs, ages, labels])
    common.write_inputs_csv(FOLDER / "audit.csv", [*COLUMNS, "age_in_years", "creditability"], audited)
    groups = {"25 and younger": ages[test] <= 25, "over 25": ages[test] > 25}
    for name, (predicted, _) in outputs.items():
        metrics[name]["test_by_age"] = common.approvals(predicted[test] == 1, labels[test] == 1, groups)
    common.write_json(FOLDER / "metrics.json", metrics)


if __name__ == "__main__":
    main()
