"""Trains the audited models that are in no other folder, and writes what scikit-learn counts of all four tables.

    train.py DEFAULT.csv CLEVELAND.data

The first table is that of ../default/train.py; the second is `processed.cleveland.data` of UCI's Heart Disease, data set 45,
doi:10.24432/C52P4X. No row of either is written here. The figures are scikit-learn's: its own predictions, its confusion
matrices, its shares.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import common  # noqa: E402  (before NumPy: it pins the numeric kernels)

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

# Rows that are proven, the first ones of each table.
PROVEN = 40

# Columns of the Cleveland table but the last: a number, or the codes of a category. Age and sex are inputs here, as doctors
# use them, so that the protected attributes are inputs and groups at once.
HEART = {
    "age": None,
    "sex": None,
    "cp": [1, 2, 3, 4],
    "trestbps": None,
    "chol": None,
    "fbs": None,
    "restecg": [0, 1, 2],
    "thalach": None,
    "exang": None,
    "oldpeak": None,
    "slope": [1, 2, 3],
    "ca": None,
    "thal": [3, 6, 7],
}
HEART_SHA256 = "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8"


def example(name):
    """The training script of another folder."""
    spec = importlib.util.spec_from_file_location(name, FOLDER.parent / name / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_heart(path):
    """Inputs and labels of the complete rows: whether there is any disease."""
    text = Path(path).read_bytes()
    if hashlib.sha256(text).hexdigest() != HEART_SHA256:
        raise SystemExit(f"{path} is not the table that this script was written for")
    rows = [line.split(",") for line in text.decode().split() if "?" not in line]
    table = np.array(rows, dtype=np.float64)
    return table[:, :-1].astype(np.float32), (table[:, -1] > 0).astype(int)


def heart_model():
    numbers = [i for i, codes in enumerate(HEART.values()) if codes is None]
    categories = [i for i, codes in enumerate(HEART.values()) if codes is not None]
    codes = [np.array(codes) for codes in HEART.values() if codes is not None]
    encoder = OneHotEncoder(categories=codes, handle_unknown="error")
    steps = ColumnTransformer([("scale", StandardScaler(), numbers), ("one_hot", encoder, categories)])
    return make_pipeline(steps, LogisticRegression(C=0.3, max_iter=1000))


def trained_before(folder, pipeline, inputs, labels):
    """scikit-learn's predictions of a model that another folder holds, trained again the same way."""
    train, _ = common.split(labels)
    predicted = pipeline.fit(inputs[train], labels[train]).predict(inputs)
    expected = json.loads((FOLDER.parent / folder / "expected.json").read_text())["logreg"]["label"]
    if predicted.tolist() != expected:
        raise SystemExit(f"{folder}: scikit-learn and ONNX Runtime decide differently")
    return predicted


def trained_here(name, pipeline, inputs, labels, doc):
    """Trains and exports, and returns scikit-learn's predictions."""
    train, _ = common.split(labels)
    predicted = pipeline.fit(inputs[train], labels[train]).predict(inputs)
    path = FOLDER / f"{name}.onnx"
    common.export(pipeline, inputs.shape[1], path, doc)
    if common.run(path, inputs)[0].tolist() != predicted.tolist():
        raise SystemExit(f"{name}: scikit-learn and ONNX Runtime decide differently")
    return predicted


def counts(labels, predicted):
    (tn, fp), (fn, tp) = confusion_matrix(labels, predicted, labels=[0, 1]).tolist()
    return {
        "true positives": tp,
        "false positives": fp,
        "false negatives": fn,
        "true negatives": tn,
    }


def figures(table, rows, labels, predicted, group=None):
    """What an audit of the first rows says."""
    labels, predicted = labels[:rows], predicted[:rows]
    said = {
        "table": table,
        "rows": rows,
        "accuracy": float(accuracy_score(labels, predicted)),
        "confusion": counts(labels, predicted),
    }
    if group is None:
        return said
    rule, names, members = group
    each = [members[:rows] == which for which in (0, 1)]
    of = [
        {
            "name": name,
            "rows": int(chosen.sum()),
            "confusion": counts(labels[chosen], predicted[chosen]),
            "selection rate": float(predicted[chosen].mean()),
            "true positive rate": float(recall_score(labels[chosen], predicted[chosen])),
        }
        for name, chosen in zip(names, each)
    ]
    selected = [one["selection rate"] for one in of]
    found = [one["true positive rate"] for one in of]
    return said | {
        "group": rule,
        "groups": of,
        "four-fifths": min(selected) >= 0.8 * max(selected),
        "parity gap": abs(selected[0] - selected[1]),
        "opportunity gap": abs(found[0] - found[1]),
    }


def at_least(column, values, least):
    return f"{column}>={least}", [f"{column} < {least}", f"{column} >= {least}"], (values >= least).astype(int)


def of_two(column, values, codes):
    return column, [f"{column} = {code}" for code in codes], (values == codes[1]).astype(int)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    credit, diagnosis, default = example("credit"), example("diagnosis"), example("default")
    audits = []

    def add(table, labels, predicted, groups=(None,)):
        for group in groups:
            for rows in (len(labels), PROVEN):
                audits.append(figures(table, rows, labels, predicted, group))

    inputs, labels, ages = credit.read_table()
    model = make_pipeline(credit.preprocessing(), LogisticRegression(C=0.3, max_iter=1000))
    predicted = trained_before("credit", model, inputs, labels)
    add("credit", labels, predicted, [at_least("age_in_years", ages, 26)])

    inputs, labels = diagnosis.read_table()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    add("diagnosis", labels, trained_before("diagnosis", model, inputs, labels))

    inputs, labels, audited = default.read_table(sys.argv[1])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    predicted = trained_here("default", model, inputs, labels, "Class 1: defaults next month. See README.md.")
    groups = [at_least("AGE", audited["AGE"], 26), of_two("SEX", audited["SEX"], [1, 2])]
    add("default", labels, predicted, groups)

    inputs, labels = read_heart(sys.argv[2])
    predicted = trained_here("heart", heart_model(), inputs, labels, "Class 1: heart disease. See README.md.")
    age, sex = (inputs[:, list(HEART).index(name)] for name in ("age", "sex"))
    add("heart", labels, predicted, [at_least("age", age, 55), of_two("sex", sex, [0, 1])])

    common.write_json(
        FOLDER / "figures.json",
        {"made by": f"examples/audits/train.py, scikit-learn {sklearn.__version__}", "audits": audits},
    )
    for audit in audits:
        print({key: value for key, value in audit.items() if key != "groups"})


if __name__ == "__main__":
    main()
