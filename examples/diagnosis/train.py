"""Trains the two diagnosis models on the Wisconsin table and writes everything in this folder but the card."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common  # noqa: E402  (before NumPy: it pins the numeric kernels)

import numpy as np  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

MEASURED = [
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
]
NAMES = [f"{statistic}_{name}" for statistic in ("mean", "error", "worst") for name in MEASURED]
# In the order of the table's codes: 0 malignant, 1 benign.
CLASSES = ["malignant", "benign"]


def read_table():
    """Inputs and labels; the table's first line holds its size and the class names instead of column names."""
    lines = (FOLDER / "breast_cancer_wdbc.csv").read_text().splitlines()
    if lines[0].split(",") != ["569", "30", *CLASSES]:
        raise SystemExit("the table is not the one that these scripts were written for")
    table = np.array([[float(value) for value in line.split(",")] for line in lines[1:]])
    return table[:, :-1].astype(np.float32), table[:, -1].astype(int)


def main():
    inputs, labels = read_table()
    columns = [{"name": name, "kind": "number"} for name in NAMES]
    models = {
        "logreg": make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000)),
        "mlp": make_pipeline(
            StandardScaler(),
            MLPClassifier((24,), alpha=3.0, batch_size=50, max_iter=60, tol=0.0, random_state=common.SEED),
        ),
    }
    _, metrics, _ = common.build_example(
        FOLDER,
        models,
        columns,
        CLASSES,
        inputs,
        labels,
        "Class 1: benign. See MODEL_CARD.md.",
        ("patients", ["malignant", "benign"]),
    )
    common.write_json(FOLDER / "metrics.json", metrics)


if __name__ == "__main__":
    main()
