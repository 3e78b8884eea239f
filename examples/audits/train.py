"""Trains the audited models that are in no other folder, and writes what scikit-learn counts of all five tables.

    train.py DEFAULT.csv CLEVELAND.data

The first table is that of ../default/train.py; the second is `processed.cleveland.data` of UCI's Heart Disease, data set 45,
doi:10.24432/C52P4X. No row of either is written here. The wines are scikit-learn's own table (UCI's data set 109,
doi:10.24432/C5PC7J), and written beside their model. The figures are scikit-learn's: its own predictions, its confusion
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
from sklearn.datasets import load_wine  # noqa: E402
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


def read_wine():
    """Names of the columns, inputs and labels in an order drawn once: scikit-learn's is by class."""
    table = load_wine()
    order = np.random.RandomState(common.SEED).permutation(len(table.target))
    classes = table.target_names[table.target][order]
    return table.feature_names, table.data[order].astype(np.float32), classes


def write_table(path, names, inputs, label, labels):
    """Rows as the model reads them, with their labels."""
    lines = [",".join([*names, label])]
    for row, right in zip(inputs, labels):
        lines.append(",".join([*(str(common.number(value)) for value in row), right]))
    path.write_text("\n".join(lines) + "\n")


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
    return said | compared(labels, predicted, group, rows)


def compared(labels, predicted, group, rows):
    """Rates of the groups, of class 1."""
    rule, names, members = group
    each = [members[:rows] == which for which in range(len(names))]
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
    return {
        "group": rule,
        "groups": of,
        "four-fifths": min(selected) >= 0.8 * max(selected),
        "parity gap": max(selected) - min(selected),
        "opportunity gap": max(found) - min(found),
    }


def figures_of_classes(table, rows, classes, labels, predicted, positive, group):
    """The same where there are more than two classes: all pairs of them, and what is counted of one."""
    labels, predicted = labels[:rows], predicted[:rows]
    right, decided = ((values == positive).astype(int) for values in (labels, predicted))
    return {
        "table": table,
        "rows": rows,
        "accuracy": float(accuracy_score(labels, predicted)),
        # Rows: the true class; columns: the predicted one.
        "matrix": confusion_matrix(labels, predicted, labels=classes).tolist(),
        "positive": positive,
        "confusion": counts(right, decided),
    } | compared(right, decided, group, rows)


def at_least(column, values, *bounds):
    """Bands of a column, the first one below all bounds."""
    rule = f"{column}>={','.join(str(bound) for bound in bounds)}"
    between = [f"{low} <= {column} < {high}" for low, high in zip(bounds, bounds[1:])]
    names = [f"{column} < {bounds[0]}", *between, f"{column} >= {bounds[-1]}"]
    return rule, names, np.digitize(values, bounds)


def of_values(column, values, codes):
    return column, [f"{column} = {code}" for code in codes], np.searchsorted(codes, values)


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
    add("credit", labels, predicted, [at_least("age_in_years", ages, 26), at_least("age_in_years", ages, 26, 41)])

    inputs, labels = diagnosis.read_table()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    add("diagnosis", labels, trained_before("diagnosis", model, inputs, labels))

    inputs, labels, audited = default.read_table(sys.argv[1])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    predicted = trained_here("default", model, inputs, labels, "Class 1: defaults next month. See README.md.")
    groups = [at_least("AGE", audited["AGE"], 26), of_values("SEX", audited["SEX"], [1, 2])]
    add("default", labels, predicted, groups)

    inputs, labels = read_heart(sys.argv[2])
    predicted = trained_here("heart", heart_model(), inputs, labels, "Class 1: heart disease. See README.md.")
    age, sex = (inputs[:, list(HEART).index(name)] for name in ("age", "sex"))
    add("heart", labels, predicted, [at_least("age", age, 55), of_values("sex", sex, [0, 1])])

    names, inputs, labels = read_wine()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000))
    predicted = trained_here("wine", model, inputs, labels, "Decides on the cultivar. See README.md.")
    write_table(FOLDER / "wine.csv", names, inputs, "cultivar", labels)
    group = at_least("alcohol", inputs[:, names.index("alcohol")], 12.25, 12.75, 13.25)
    for rows in (len(labels), PROVEN):
        audits.append(figures_of_classes("wine", rows, np.unique(labels), labels, predicted, "class_1", group))

    common.write_json(
        FOLDER / "figures.json",
        {"made by": f"examples/audits/train.py, scikit-learn {sklearn.__version__}", "audits": audits},
    )
    for audit in audits:
        print({key: value for key, value in audit.items() if key != "groups"})


if __name__ == "__main__":
    main()
