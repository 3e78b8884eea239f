"""Trains one decision tree over all 23 columns of UCI's Default of Credit Card Clients, for audits: `tree.onnx`, and what
scikit-learn counts with it on the table's first rows: `tree.json`.

    train_tree.py TABLE.csv

It is trained on the rows after the first 5,000, and audited on these. Sex, age, marital status and education are among its
inputs: it is a benchmark for audits and no model to decide with.
"""

import csv
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common  # noqa: E402, F401  (before NumPy: it pins the numeric kernels)

import numpy as np  # noqa: E402
from skl2onnx import to_onnx  # noqa: E402
from sklearn.metrics import confusion_matrix  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

AUDITED = 5_000
DEPTH = 8


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    lines = Path(sys.argv[1]).read_text(encoding="utf-8-sig").splitlines()
    header, *rows = list(csv.reader(lines if "LIMIT_BAL" in lines[0] else lines[1:]))
    numbers = np.array([[float(field) for field in row] for row in rows])
    # Between the number of a row and its label.
    names, inputs, labels = header[1:-1], numbers[:, 1:-1].astype(np.float32), numbers[:, -1].astype(np.int64)
    if len(names) != 23 or len(rows) != 30_000:
        raise SystemExit(f"{sys.argv[1]} is not the table that this script was written for")
    model = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=20, random_state=0)
    model.fit(inputs[AUDITED:], labels[AUDITED:])
    exported = to_onnx(model, inputs[:1], options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3})
    (FOLDER / "tree.onnx").write_bytes(exported.SerializeToString())
    counts = {}
    for count in (100, 1_000, AUDITED):
        (tn, fp), (fn, tp) = confusion_matrix(labels[:count], model.predict(inputs[:count])).tolist()
        counts[str(count)] = {
            "true positives": tp,
            "false positives": fp,
            "false negatives": fn,
            "true negatives": tn,
        }
    figures = {"depth": model.get_depth(), "leaves": int(model.get_n_leaves()), "counts": counts}
    (FOLDER / "tree.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
