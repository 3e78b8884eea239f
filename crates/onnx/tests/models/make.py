"""Makes the models and `expected.json` in this folder.

    python -m venv venv && venv/bin/pip install skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1
    PYTHONHASHSEED=0 venv/bin/python make.py

skl2onnx orders operator sets and attributes by hash, hence the seed: with it the files come out byte for byte.
The outputs in `expected.json` are ONNX Runtime's. `make_trees.py` makes the tree models.
"""

import json
import pathlib
import warnings

import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, OneHotEncoder, StandardScaler
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from skl2onnx import convert_sklearn

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
expected = {}


def save(name, model, feeds):
    """Writes a model and ONNX Runtime's outputs for each of the feeds."""
    model.graph.name = name  # skl2onnx draws a random one
    data = model.SerializeToString(deterministic=True)
    (HERE / f"{name}.onnx").write_bytes(data)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rows = []
    for feed in feeds:
        outputs = session.run(None, feed)
        flat = []
        for output in outputs:
            if isinstance(output, list):  # ZipMap
                output = np.array([list(row.values()) for row in output])
            flat.append(np.asarray(output).ravel().tolist())
        inputs = [np.asarray(feed[i.name]).ravel().tolist() for i in session.get_inputs()]
        rows.append({"inputs": inputs, "outputs": flat})
    expected[name] = rows


random = np.random.default_rng(7)
X = np.hstack([random.integers(0, 3, (120, 2)), random.normal(size=(120, 3))]).astype(np.float32)
two = (X[:, 2] + X[:, 0] > 1).astype(int)
three = two + (X[:, 3] > 0)
names = np.where(two == 1, "bad", "good")
real = X[:, 2] * 2 + X[:, 0]


def prepare():
    return ColumnTransformer(
        [("codes", OneHotEncoder(handle_unknown="ignore"), [0, 1]), ("numbers", StandardScaler(), [2, 3, 4])]
    )


def pipeline(name, steps, target, table=X, **options):
    model = make_pipeline(*steps).fit(table, target)
    save(name, to_onnx(model, table[:1], target_opset=17, **options), [{"X": row[None]} for row in table[:12]])


PLAIN = {"options": {"zipmap": False}}
for suffix, target in {"binary": two, "three": three, "text": names}.items():
    pipeline(f"logistic_{suffix}", [prepare(), LogisticRegression()], target, **PLAIN)
    pipeline(f"logistic_{suffix}_zipmap", [prepare(), LogisticRegression()], target)
    mlp = lambda: MLPClassifier((6, 4), max_iter=20, random_state=1)
    pipeline(f"mlp_{suffix}", [prepare(), mlp()], target, **PLAIN)
    pipeline(f"mlp_{suffix}_zipmap", [prepare(), mlp()], target)
pipeline("mlp_logistic", [prepare(), MLPClassifier((4,), activation="logistic", max_iter=20, random_state=1)], two, **PLAIN)
pipeline("mlp_regressor", [prepare(), MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=1)], real)
pipeline("linear_regression", [prepare(), LinearRegression()], real)
pipeline("ridge_two_targets", [prepare(), Ridge()], X[:, 2:4] * 2)
pipeline("sgd_binary", [StandardScaler(), SGDClassifier(loss="log_loss", random_state=1)], two, **PLAIN)
pipeline("min_max_clipped", [MinMaxScaler((0.1, 0.7), clip=True), LogisticRegression()], two, **PLAIN)
pipeline("normalized", [Normalizer(), LogisticRegression()], two, **PLAIN)
pipeline(
    "passthrough",
    [ColumnTransformer([("codes", OneHotEncoder(drop="first"), [0, 1])], remainder="passthrough"), LogisticRegression()],
    two,
    **PLAIN,
)

# A data frame: one input per column, integers as int64.
import pandas

frame = pandas.DataFrame(X, columns=list("abcde"))
frame[["a", "b"]] = frame[["a", "b"]].astype(np.int64)
model = make_pipeline(
    ColumnTransformer(
        [("codes", OneHotEncoder(handle_unknown="ignore"), ["a", "b"]), ("numbers", StandardScaler(), ["c", "d", "e"])]
    ),
    LogisticRegression(),
).fit(frame, two)
types = [(c, Int64TensorType([None, 1]) if c in "ab" else FloatTensorType([None, 1])) for c in frame.columns]
save(
    "data_frame",
    convert_sklearn(model, initial_types=types, options={"zipmap": False}, target_opset=17),
    [{c: frame[c].to_numpy()[i : i + 1, None] for c in frame.columns} for i in range(12)],
)


def graph(name, nodes, inputs, outputs, feeds, initializers=(), opset=13):
    model = helper.make_model(
        helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(*each) for each in inputs],
            [helper.make_tensor_value_info(*each) for each in outputs],
            list(initializers),
        ),
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)],
        producer_name="make.py",
    )
    model.ir_version = 8
    save(name, model, feeds)


def classifier(name, rows, labels, transform):
    """LinearClassifier alone; the rows of x hit scores of exactly zero, and ties."""
    text = isinstance(labels[0], str)
    node = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=[w for row, _ in rows for w in row],
        intercepts=[b for _, b in rows],
        post_transform=transform,
        multi_class=0,
        **{"classlabels_strings" if text else "classlabels_ints": labels},
    )
    feeds = [{"x": np.array([row], np.float32)} for row in [[0, 0], [1, -2], [-2, 1], [0.5, 0.25], [-1, 2]]]
    graph(
        name,
        [node],
        [("x", TensorProto.FLOAT, [None, 2])],
        [("label", TensorProto.STRING if text else TensorProto.INT64, [None]), ("scores", TensorProto.FLOAT, None)],
        feeds,
    )


ONE = [([1.0, 0.5], 0.0)]
TWO = [([-1.0, -0.5], 0.0), ([1.0, 0.5], 0.0)]
UNEVEN = [([1.0, 0.5], 0.1), ([2.0, -0.5], 0.2)]
THREE = UNEVEN + [([1.0, 0.5], 0.1)]
for transform in ["NONE", "LOGISTIC", "SOFTMAX"]:
    tag = transform.lower()
    classifier(f"classifier_one_row_{tag}", ONE, [3, 7], transform)
    classifier(f"classifier_two_rows_{tag}", TWO, [3, 7], transform)
    classifier(f"classifier_uneven_{tag}", UNEVEN, [7, 3], transform)
    classifier(f"classifier_three_rows_{tag}", THREE, ["a", "b", "c"], transform)

VECTORS = [{"x": np.array([row], np.float32)} for row in [[0, 0, 0], [1, -2, 3], [-3, 1, 0.5], [50, 50, 50]]]
F = [("x", TensorProto.FLOAT, ["N", 3])]
OUT = [("y", TensorProto.FLOAT, None)]
for norm in ["L1", "L2"]:
    graph(f"normalizer_{norm.lower()}", [helper.make_node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml", norm=norm)], F, OUT, VECTORS)
for axis, opset in [(1, 11), (1, 13), (-1, 13), (0, 9)]:
    feeds = [{"x": random.normal(size=(1, 2, 3)).astype(np.float32)} for _ in range(4)]
    graph(
        f"softmax_axis{axis}_opset{opset}",
        [helper.make_node("Softmax", ["x"], ["y"], axis=axis)],
        [("x", TensorProto.FLOAT, ["N", 2, 3])],
        OUT,
        feeds,
        opset=opset,
    )
graph("clip_attributes", [helper.make_node("Clip", ["x"], ["y"], min=-1.0, max=2.0)], F, OUT, VECTORS, opset=9)
graph(
    "unsqueeze_attributes",
    [helper.make_node("Unsqueeze", ["x"], ["u"], axes=[0, 3]), helper.make_node("Squeeze", ["u"], ["y"], axes=[0])],
    F,
    OUT,
    VECTORS,
    opset=11,
)
graph(
    "shape_chain",  # x.view(x.size(0), -1) as PyTorch exports it
    [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "axes"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ],
    [("x", TensorProto.FLOAT, ["N", 1, 3])],
    OUT,
    [{"x": feed["x"][:, None]} for feed in VECTORS],
    [
        helper.make_tensor("zero", TensorProto.INT64, [], [0]),
        helper.make_tensor("axes", TensorProto.INT64, [1], [0]),
        helper.make_tensor("rest", TensorProto.INT64, [1], [-1]),
    ],
)
for name in ["Greater", "Less", "GreaterOrEqual", "LessOrEqual"]:
    graph(
        f"compare_{name.lower()}",  # the constant once on each side
        [
            helper.make_node(name, ["x", "c"], ["right"]),
            helper.make_node(name, ["c", "x"], ["left"]),
            helper.make_node("Not", ["left"], ["not_left"]),
        ],
        F,
        [("right", TensorProto.BOOL, None), ("left", TensorProto.BOOL, None), ("not_left", TensorProto.BOOL, None)],
        VECTORS,
        [helper.make_tensor("c", TensorProto.FLOAT, [3], [1.0, 1.0, 0.5])],
    )
graph(
    "label_lookup",
    [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        helper.make_node("Gather", ["classes", "i"], ["label"], axis=0),
        helper.make_node("Cast", ["label"], ["y"], to=TensorProto.FLOAT),
    ],
    F,
    [("label", TensorProto.INT64, None), ("y", TensorProto.FLOAT, None)],
    VECTORS,
    [helper.make_tensor("classes", TensorProto.INT64, [3], [11, -4, 9])],
)
graph(
    "residual",  # sums of computed tensors, a constant on the left, and both sides of a product
    [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Transpose", ["x"], ["xt"]),
        helper.make_node("MatMul", ["v", "xt"], ["left"]),
        helper.make_node("Add", ["a", "x"], ["b"]),
        helper.make_node("Sub", ["one", "b"], ["c"]),
        helper.make_node("Mul", ["two", "c"], ["d"]),
        helper.make_node("Div", ["d", "w"], ["e"]),
        helper.make_node("Neg", ["e"], ["f"]),
        helper.make_node("Concat", ["f", "w"], ["y"], axis=0),
    ],
    F,
    [("y", TensorProto.FLOAT, None), ("left", TensorProto.FLOAT, None)],
    VECTORS,
    [
        helper.make_tensor("w", TensorProto.FLOAT, [3, 3], [1, 2, 3, -1, 0.5, 2, 4, -2, 1]),
        helper.make_tensor("v", TensorProto.FLOAT, [2, 3], [1, 0, 3, -1, 0.5, 2]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("two", TensorProto.FLOAT, [1], [2]),
    ],
)

(HERE / "expected.json").write_text(json.dumps(expected, indent=None, separators=(",", ":")).replace('},"', '},\n"').replace('],"', '],\n"') + "\n")
