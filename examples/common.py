"""What the example models have in common: splitting, exporting, and writing files that come out the same every time.

Import this module before NumPy: it pins the numeric kernels, because a different
summation order changes the last bits of the trained weights.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# The same kernels on every x86-64 processor with AVX2, newer ones included.
os.environ["OPENBLAS_CORETYPE"] = "Haswell"
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from lightgbm import LGBMClassifier
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split

# The networks are trained for a fixed number of epochs on purpose.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

update_registered_converter(
    LGBMClassifier,
    "LightGbmLGBMClassifier",
    calculate_linear_classifier_output_shapes,
    convert_lightgbm,
    options={"zipmap": [True, False], "nocl": [True, False]},
)

SEED = 7992
TEST_FRACTION = 0.3
CALIBRATION_ROWS = 200
TARGET_OPSET = {"": 17, "ai.onnx.ml": 1}
# The last digit of a float32 depends on ONNX Runtime's kernel for the processor at hand; six decimals do not.
PROBABILITY_DECIMALS = 6


def split(labels):
    """Row numbers of the training and of the test set, stratified by label, each in ascending order."""
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_FRACTION, random_state=SEED, stratify=labels
    )
    return np.sort(train), np.sort(test)


def boosted_trees(depth, **options):
    """Gradient boosting by LightGBM with trees grown to one depth, the same on every run."""
    return LGBMClassifier(
        max_depth=depth,
        num_leaves=2**depth,
        subsample=0.8,
        subsample_freq=1,
        random_state=SEED,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
        **options,
    )


def export(pipeline, columns, path, doc):
    """Writes the pipeline as ONNX with one input, float32 [N, columns], and a plain probability tensor."""
    model = to_onnx(
        pipeline,
        name=path.stem,
        initial_types=[("input", FloatTensorType([None, columns]))],
        options={"zipmap": False},
        target_opset=TARGET_OPSET,
    )
    model.doc_string = doc
    # skl2onnx writes the same import twice at times, and in no fixed order.
    opsets = sorted({(opset.domain, opset.version) for opset in model.opset_import})
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in opsets)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def run(path, inputs):
    """ONNX Runtime's labels and probabilities for every row."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(["label", "probabilities"], {"input": inputs})
    return labels, probabilities


def number(value):
    """The shortest decimal that reads back as the same float32; whole numbers without a fraction."""
    text = np.format_float_positional(np.float32(value), unique=True, trim="-")
    return int(text) if "." not in text else float(text)


def write_json(path, value, readable=True):
    """JSON for people, or compact with one line for each member of the outermost object."""
    if readable:
        text = json.dumps(value, indent=2)
    else:
        text = "{\n" + ",\n".join(json.dumps(key) + ": " + json.dumps(member) for key, member in value.items()) + "\n}"
    path.write_text(text + "\n")


def write_input(path, rows):
    """Input rows in the form that `--input` and `--calibration` read."""
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps([number(value) for value in row]) for row in rows)
    path.write_text('{"input_data": [\n' + lines + "\n]}\n")


def write_inputs_csv(path, names, inputs):
    """All rows with a header, encoded as the model reads them."""
    lines = [",".join(names)] + [",".join(str(number(value)) for value in row) for row in inputs]
    path.write_text("\n".join(lines) + "\n")


def build(folder, models, inputs, labels, train, test, doc):
    """Trains, exports and evaluates every model. Returns ONNX Runtime's labels and probabilities of every row, and the
    metrics, by model."""
    outputs, metrics = {}, {"train_rows": len(train), "test_rows": len(test)}
    for name, pipeline in models.items():
        pipeline.fit(inputs[train], labels[train])
        path = folder / f"{name}.onnx"
        export(pipeline, inputs.shape[1], path, doc)
        predicted, probabilities = outputs[name] = run(path, inputs)
        own = pipeline.predict_proba(inputs)
        score = probabilities[:, 1]
        metrics[name] = {
            "train_accuracy": round(float(np.mean(predicted[train] == labels[train])), 4),
            "test_accuracy": round(float(np.mean(predicted[test] == labels[test])), 4),
            "train_auc": round(float(roc_auc_score(labels[train], score[train])), 4),
            "test_auc": round(float(roc_auc_score(labels[test], score[test])), 4),
            # Rows: the true class; columns: the predicted one.
            "test_confusion": confusion_matrix(labels[test], predicted[test]).tolist(),
        }
        print(f"{folder.name}/{path.name}: {path.stat().st_size} bytes, {json.dumps(metrics[name])}")
        print(f"  largest difference between ONNX Runtime and the library: {np.abs(own - probabilities).max():.2e}")
    return outputs, metrics


def build_example(folder, models, columns, classes, inputs, labels, doc, people):
    """Everything in a folder whose table may be published, but the card and the metrics. `people` names the folder of the
    single rows and the typical row of each class. Returns what `build` returns, and the row numbers of the test set."""
    names = [column["name"] for column in columns]
    inputs = inputs.astype(np.float32)
    train, test = split(labels)

    write_json(folder / "codebook.json", {"columns": columns, "classes": classes})
    write_json(folder / "split.json", {"train": train.tolist(), "test": test.tolist()}, readable=False)
    write_inputs_csv(folder / "inputs.csv", names, inputs)
    chosen = np.sort(np.random.RandomState(SEED).choice(train, CALIBRATION_ROWS, replace=False))
    write_input(folder / "calibration.json", inputs[chosen])

    outputs, metrics = build(folder, models, inputs, labels, train, test, doc)
    expected = {"target": labels.tolist()} | {
        name: {
            "label": predicted.tolist(),
            "probabilities": [[round(float(p), PROBABILITY_DECIMALS) for p in row] for row in probabilities],
        }
        for name, (predicted, probabilities) in outputs.items()
    }
    write_json(folder / "expected.json", expected, readable=False)

    subfolder, typical = people
    scores = {name: probabilities[:, 1] for name, (_, probabilities) in outputs.items()}
    rows = {name: pick(scores, labels, test, wanted) for wanted, name in enumerate(typical)}
    rows["borderline"] = closest(scores["logreg"], test)
    for name, row in rows.items():
        write_input(folder / subfolder / f"{name}.json", inputs[[row]])
        print(f"{name}: row {row}", {model: round(float(score[row]), 4) for model, score in scores.items()})
    return outputs, metrics, test


def approvals(approved, good, groups):
    """For each group of rows the share that is approved, of all and of the truly good."""
    return {
        name: {
            "rows": int(members.sum()),
            "approved": round(float(approved[members].mean()), 4),
            "approved_of_good": round(float(approved[members & good].mean()), 4),
        }
        for name, members in groups.items()
    }


def pick(scores, labels, test, wanted):
    """The test row that logistic regression and network put in class `wanted`, rightly, and whose less certain score is the
    median of such rows. Every other model must put it there too."""
    side = {name: score if wanted == 1 else 1 - score for name, score in scores.items()}
    least = np.minimum(side["logreg"], side["mlp"])
    candidates = [row for row in test if labels[row] == wanted and least[row] > 0.5]
    candidates.sort(key=lambda row: (least[row], row))
    row = candidates[len(candidates) // 2]
    if any(score[row] <= 0.5 for score in side.values()):
        raise SystemExit(f"row {row} is no example of class {wanted}: a model decides otherwise")
    return row


def closest(score, test):
    """The test row whose score is nearest to one half."""
    return min(test, key=lambda row: (abs(float(score[row]) - 0.5), row))
