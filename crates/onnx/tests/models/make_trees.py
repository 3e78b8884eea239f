"""Makes the tree models and `trees.json` in this folder.

    python -m venv venv && venv/bin/pip install skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0 \\
        scikit-learn==1.9.1 onnxmltools==1.16.0 xgboost==3.2.0 lightgbm==4.7.0 catboost==1.2.10 pandas==3.1.1
    PYTHONHASHSEED=0 venv/bin/python make_trees.py

`trees.json` holds `[inputs, ONNX Runtime's outputs]` for rows just below, at and just above the thresholds, with −0,
infinities and, where the library knows missing values, NaN. It writes NaN as null and infinity as 1e39.
"""

import json
import pathlib
import tempfile
import warnings

import catboost
import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import xgboost
from onnx import TensorProto, helper
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from skl2onnx import to_onnx

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(7)
made = {}

# Codes in the first two columns, numbers rounded to 1/16 in the others, so that thresholds are often hit.
X = np.hstack([random.integers(0, 3, (150, 2)), (random.normal(size=(150, 3)) * 16).round() / 16]).astype(np.float32)
two = (X[:, 2] + X[:, 0] > 1).astype(int)
three = two + (X[:, 3] > 0)
names = np.where(two == 1, "bad", "good")
real = X[:, 2] * 2 + X[:, 0]
holes = X.copy()
holes[::7, 2] = np.nan
holes[::5, 3] = np.nan


def plain(value):
    """JSON for a value of an output or input."""
    if isinstance(value, (float, np.floating)):
        value = np.float32(value)
        if np.isnan(value):
            return None
        return float(np.sign(value)) * 1e39 if np.isinf(value) else float(str(value))
    return value.item() if isinstance(value, np.generic) else value


def thresholds(model):
    """The thresholds of each feature."""
    found = {}
    for node in model.graph.node:
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
            table = values.get("nodes_values") or onnx.numpy_helper.to_array(values["nodes_values_as_tensor"])
            for feature, value, mode in zip(values["nodes_featureids"], table, values["nodes_modes"]):
                if mode != b"LEAF":
                    found.setdefault(feature, set()).add(value)
        elif node.op_type == "TreeEnsemble":
            for feature, value in zip(values["nodes_featureids"], onnx.numpy_helper.to_array(values["nodes_splits"])):
                found.setdefault(feature, set()).add(value)
    return {feature: sorted(values) for feature, values in sorted(found.items())}


def around(model, table, missing):
    """Rows of the table, and rows with one feature at, or next to, one of its thresholds or at a special value."""
    infinity = np.float32(np.inf)
    rows = list(table[:30])
    for feature, values in thresholds(model).items():
        special = [-0.0, 0.0, infinity, -infinity] + ([np.nan] * 4 if missing else [])
        for value in map(np.float32, values):
            special += [np.nextafter(value, -infinity), value, np.nextafter(value, infinity)]
        for value in special:
            row = table[random.integers(len(table))].copy()
            row[feature] = value
            rows.append(row)
    if len(rows) > 240:
        rows = rows[:30] + [rows[i] for i in random.permutation(np.arange(30, len(rows)))[:210]]
    return np.array(rows, dtype=np.float32)


def save(name, model, rows, dtype=np.float32, batch=1):
    """Writes a model and ONNX Runtime's outputs for the rows."""
    model.graph.name = name  # the converters draw random ones
    data = model.SerializeToString(deterministic=True)
    assert len(data) < 20_000, (name, len(data))
    (HERE / f"{name}.onnx").write_bytes(data)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (declared,) = session.get_inputs()
    cases = []
    for start in range(0, len(rows) - batch + 1, batch):
        feed = rows[start : start + batch].astype(dtype)
        outputs = []
        for output in session.run(None, {declared.name: feed}):
            if isinstance(output, list):  # ZipMap
                output = np.array([list(row.values()) for row in output], np.float32)
            outputs.append([plain(value) for value in np.asarray(output).ravel()])
        cases.append([[[plain(value) for value in rows[start : start + batch].ravel()]], outputs])
    made[name] = cases


def sklearn(name, model, target, **options):
    model.fit(X, target)
    converted = to_onnx(model, X[:1], target_opset=17, **options)
    save(name, converted, around(converted, X, missing=False))


PLAIN = {"options": {"zipmap": False}}
for suffix, target in {"binary": two, "three": three, "text": names}.items():
    sklearn(f"tree_{suffix}", DecisionTreeClassifier(max_depth=4, random_state=1), target, **PLAIN)
    sklearn(f"forest_{suffix}", RandomForestClassifier(5, max_depth=3, random_state=1), target)
    boosting = GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1)
    sklearn(f"boosting_{suffix}", boosting, target, **PLAIN)
sklearn("tree_regressor", DecisionTreeRegressor(max_depth=4, random_state=1), real)
sklearn("tree_two_targets", DecisionTreeRegressor(max_depth=3, random_state=1), np.stack([real, X[:, 3]], axis=1))
sklearn("forest_regressor", RandomForestRegressor(5, max_depth=3, random_state=1), real)
sklearn("boosting_regressor", GradientBoostingRegressor(n_estimators=4, max_depth=2, random_state=1), real)

prepare = ColumnTransformer([("codes", OneHotEncoder(), [0, 1]), ("numbers", StandardScaler(), [2, 3, 4])])
pipeline = make_pipeline(prepare, GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1)).fit(X, two)
save("boosting_pipeline", to_onnx(pipeline, X[:1], target_opset=17), X)

TYPES = [("X", FloatTensorType([None, 5]))]
for suffix, target in {"binary": two, "three": three}.items():
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1).fit(holes, target)
    converted = onnxmltools.convert_xgboost(model, initial_types=TYPES, target_opset=15)
    save(f"xgboost_{suffix}", converted, around(converted, holes, missing=True))
    model = lightgbm.LGBMClassifier(n_estimators=4, max_depth=2, min_child_samples=5, verbose=-1, n_jobs=1)
    model.fit(holes, target)
    converted = onnxmltools.convert_lightgbm(model, initial_types=TYPES, target_opset=15, zipmap=suffix == "three")
    save(f"lightgbm_{suffix}", converted, around(converted, holes, missing=True))
model = xgboost.XGBRegressor(n_estimators=4, max_depth=2, n_jobs=1).fit(holes, real)
converted = onnxmltools.convert_xgboost(model, initial_types=TYPES, target_opset=15)
save("xgboost_regressor", converted, around(converted, holes, missing=True))
model = lightgbm.LGBMRegressor(n_estimators=4, max_depth=2, min_child_samples=5, verbose=-1, n_jobs=1)
converted = onnxmltools.convert_lightgbm(model.fit(holes, real), initial_types=TYPES, target_opset=15)
save("lightgbm_regressor", converted, around(converted, holes, missing=True))
# Categories become chains of BRANCH_EQ.
model = lightgbm.LGBMClassifier(
    n_estimators=4, max_depth=3, min_child_samples=5, min_data_per_group=5, cat_smooth=1, verbose=-1, n_jobs=1
)
codes = X.copy()
codes[:, 0] = random.integers(0, 12, 150)
model.fit(codes, ((codes[:, 0] % 3 == 1) ^ (X[:, 2] > 0.5)).astype(int), categorical_feature=[0])
converted = onnxmltools.convert_lightgbm(model, initial_types=TYPES, target_opset=15, zipmap=False)
save("lightgbm_codes", converted, around(converted, codes, missing=True))

CAT = dict(iterations=4, depth=2, verbose=0, allow_writing_files=False, thread_count=1, random_seed=1)
for suffix, model, target in [
    ("binary", catboost.CatBoostClassifier(**CAT), two),
    ("text", catboost.CatBoostClassifier(**CAT), names),
    ("three", catboost.CatBoostClassifier(**CAT), three),
    ("regressor", catboost.CatBoostRegressor(**CAT), real),
]:
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        model.fit(holes, target).save_model(file.name, format="onnx")
        converted = onnx.load(file.name)
    del converted.metadata_props[:]  # training time and parameters
    save(f"catboost_{suffix}", converted, around(converted, holes, missing=True))


# One tree of three leaves and one of two, written by hand: what no library writes but the standard has.
NODES = dict(
    nodes_treeids=[0] * 5 + [7] * 3,
    nodes_nodeids=[0, 1, 2, 3, 4, 0, 2, 1],
    nodes_featureids=[0, 0, 1, 0, 0, 1, 0, 0],
    nodes_truenodeids=[1, 0, 3, 0, 0, 2, 0, 0],
    nodes_falsenodeids=[2, 0, 4, 0, 0, 1, 0, 0],
)
LEAVES = [(0, 1), (0, 3), (0, 4), (7, 1), (7, 2)]
SPLITS = [-0.0, 0, 1.5, 0, 0, -0.25, 0, 0]


def by_hand(name, operator, outputs, rows=None, element=TensorProto.FLOAT, version=1, batch=None, cast=None, **attributes):
    node = helper.make_node(operator, ["t" if cast else "x"], outputs, domain="ai.onnx.ml", **attributes)
    first = [helper.make_node("Cast", ["x"], ["t"], to=cast)] if cast else []
    kinds = {"label": TensorProto.STRING if "classlabels_strings" in attributes else TensorProto.INT64}
    model = helper.make_model(
        helper.make_graph(
            first + [node],
            name,
            [helper.make_tensor_value_info("x", element, [batch, 2])],
            [helper.make_tensor_value_info(o, kinds.get(o, TensorProto.FLOAT), None) for o in outputs],
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", version)],
        producer_name="make_trees.py",
    )
    model.ir_version = 9
    table = (random.normal(size=(40, 2)) * 4).round().astype(np.float32) / 4
    whole = element == TensorProto.INT64
    rows = np.round(table * 4) if whole else around(model, table, missing=True)
    save(name, model, rows, np.int64 if whole else np.float32, batch or 1)


def classifier(name, ids, weights, labels=(0, 1), **attributes):
    """Each leaf gives its weights to the classes `ids`."""
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    places = [(tree, node, c, w) for (tree, node), row in zip(LEAVES, weights) for c, w in zip(ids, row)]
    by_hand(
        name,
        "TreeEnsembleClassifier",
        ["label", "scores"],
        **NODES,
        nodes_values=[float(split) for split in SPLITS],
        nodes_modes=["BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"],
        class_treeids=[p[0] for p in places],
        class_nodeids=[p[1] for p in places],
        class_ids=[p[2] for p in places],
        class_weights=[p[3] for p in places],
        **{key: list(labels)},
        **attributes,
    )


POSITIVE = [[0.125], [0.5], [0.25], [0.375], [0.0]]
SIGNED = [[-1.0], [0.5], [0.25], [0.75], [-0.5]]
for post in ["NONE", "LOGISTIC", "SOFTMAX"]:
    tag = post.lower()
    classifier(f"trees_first_positive_{tag}", [0], POSITIVE, (3, 7), post_transform=post)
    classifier(f"trees_first_signed_{tag}", [0], SIGNED, ("a", "b"), post_transform=post, base_values=[0.25])
    classifier(f"trees_second_positive_{tag}", [1], POSITIVE, (3, 7), post_transform=post)
    classifier(f"trees_second_signed_{tag}", [1], SIGNED, (3, 7), post_transform=post)
    both = [[-1.0, 0.5], [0.5, -0.75], [0.25, 1.0], [0.5, 0.25], [1.0, -0.5]]
    classifier(f"trees_both_{tag}", [0, 1], both, ("a", "b"), post_transform=post, base_values=[0.25])
    opposite = [[-row[1], row[1]] for row in both]
    classifier(f"trees_opposite_{tag}", [0, 1], opposite, (0, 1), post_transform=post)
    ties = [[-1.0, 0.5, 0.5], [0.5, -0.75, 0.25], [0.25, 1.0, 1.0], [0.5, 0.25, 0.25], [1.0, -0.5, 1.5]]
    classifier(f"trees_ties_{tag}", [0, 1, 2], ties, (5, -3, 9), post_transform=post, base_values=[0.0, 0.5, 0.0])
classifier("trees_sparse_classes", [1], [[0.5], [0.25], [1.0], [0.25], [0.5]], (5, -3, 9), post_transform="NONE")
classifier("trees_int64", [0], SIGNED, element=TensorProto.INT64, post_transform="LOGISTIC")
classifier("trees_batch", [0], SIGNED, batch=3, post_transform="LOGISTIC")


def regressor(name, modes, missing=None, weights=(-1.0, 0.5, 0.25, 0.75, -0.5), targets=1, version=1, **attributes):
    wide = version >= 3
    if missing:
        attributes["nodes_missing_value_tracks_true"] = missing

    def reals(key, values):
        if wide:
            return {f"{key}_as_tensor": helper.make_tensor(key, TensorProto.DOUBLE, [len(values)], values)}
        return {key: [float(value) for value in values]}

    by_hand(
        name,
        "TreeEnsembleRegressor",
        ["y"],
        version=version,
        cast=TensorProto.DOUBLE if wide else None,
        **NODES,
        **reals("nodes_values", SPLITS),
        nodes_modes=modes,
        target_treeids=[tree for tree, _ in LEAVES],
        target_nodeids=[node for _, node in LEAVES],
        target_ids=[i % targets for i in range(5)],
        **reals("target_weights", weights),
        n_targets=targets,
        **attributes,
    )


for mode in ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"]:
    name = "BRANCH_" + mode
    modes = [name, "LEAF", name, "LEAF", "LEAF", name, "LEAF", "LEAF"]
    regressor(f"trees_{mode.lower()}", modes, [1, 0, 0, 0, 0, 1, 0, 0])
    regressor(f"trees_{mode.lower()}_never", modes)
mixed = ["BRANCH_EQ", "LEAF", "BRANCH_GTE", "LEAF", "LEAF", "BRANCH_NEQ", "LEAF", "LEAF"]
for function in ["SUM", "AVERAGE", "MIN", "MAX"]:
    tag = function.lower()
    regressor(f"trees_{tag}", mixed, [0, 0, 1, 0, 0, 0, 0, 0], aggregate_function=function, base_values=[0.75])
    regressor(f"trees_{tag}_two", mixed, targets=2, aggregate_function=function)
regressor("trees_two_logistic", mixed, targets=2, post_transform="LOGISTIC")
regressor("trees_two_softmax", mixed, targets=2, post_transform="SOFTMAX")
regressor("trees_doubles", mixed, version=3)


def floats(name, values):
    return helper.make_tensor(name, TensorProto.FLOAT, [len(values)], values)


for tag, function, targets in [("average", 0, 2), ("sum", 1, 2), ("min", 2, 1), ("max", 3, 1)]:
    by_hand(
        f"trees_five_{tag}",  # two trees, one of a single leaf, and a node that no root leads to
        "TreeEnsemble",
        ["y"],
        version=5,
        nodes_splits=floats("s", [0.5, -0.25, 0.0, 1.0]),
        nodes_modes=helper.make_tensor("m", TensorProto.UINT8, [4], [1, 5, 0, 2]),
        nodes_featureids=[0, 1, 0, 1],
        nodes_truenodeids=[1, 0, 3, 0],
        nodes_trueleafs=[0, 1, 1, 1],
        nodes_falsenodeids=[2, 1, 3, 1],
        nodes_falseleafs=[1, 1, 1, 1],
        nodes_missing_value_tracks_true=[1, 0, 0, 0],
        tree_roots=[0, 2],
        leaf_targetids=[0, targets - 1, 0, targets - 1],
        leaf_weights=floats("w", [0.5, -1.0, 0.25, 2.0]),
        n_targets=targets,
        aggregate_function=function,
    )



# Arithmetic before the trees: what a threshold on a scaled column is, on the column itself.
def steps(model):
    """(input column, function of the column) of each column that the trees read: Scaler, or core operators, in a row."""
    constants = {t.name: onnx.numpy_helper.to_array(t).ravel() for t in model.graph.initializer}
    made_by = {o: node for node in model.graph.node for o in node.output}
    trees = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    arithmetic = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}

    def columns(name):
        node = made_by.get(name)
        if node is None:
            return [(i, lambda x: x) for i in range(model.graph.input[0].type.tensor_type.shape.dim[1].dim_value)]
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Concat":
            return [column for each in node.input for column in columns(each)]
        below = columns(node.input[1] if node.input[0] in constants else node.input[0])
        if node.op_type in ("Cast", "Identity", "Reshape", "Flatten"):
            return below
        if node.op_type in ("ArrayFeatureExtractor", "Gather"):
            return [below[i] for i in constants[node.input[1]]]
        if node.op_type in ("OneHotEncoder",):
            return [(None, None)] * (len(below) * len(values["cats_int64s"]))
        if node.op_type == "Scaler":
            pairs = zip(np.float32(values["offset"]), np.float32(values["scale"]))
            functions = [lambda x, o=o, c=c: (x - o) * c for o, c in pairs]
        elif node.op_type == "Neg":
            functions = [np.negative] * len(below)
        else:
            first = node.input[0] in constants
            constant = np.broadcast_to(constants[node.input[0 if first else 1]], len(below))
            combine = arithmetic[node.op_type]
            functions = [lambda x, c=c: combine(c, x) if first else combine(x, c) for c in constant]
        chain = lambda inner, outer: None if inner is None else lambda x: outer(inner(x))
        return [(i, chain(inner, outer)) for (i, inner), outer in zip(below, functions)]

    return columns(trees.input[0])


def crossing(function, threshold):
    """The first float32 at which a monotone function has crossed the threshold."""
    ordered = lambda x: int(x.view(np.uint32)) if x >= 0 else -int(np.abs(x).view(np.uint32))
    number = lambda n: np.uint32(abs(n)).view(np.float32) * np.float32(1 if n >= 0 else -1)
    low, high = ordered(np.float32(-1e9)), ordered(np.float32(1e9))
    start = function(number(low)) < threshold
    while high - low > 1:
        middle = (low + high) // 2
        if (function(number(middle)) < threshold) == start:
            low = middle
        else:
            high = middle
    return number(high)


def around_scaled(model, table):
    infinity = np.float32(np.inf)
    rows = list(table[:30])
    columns = steps(model)
    for feature, values in thresholds(model).items():
        column, function = columns[feature]
        if column is None:
            continue
        special = [infinity, -infinity, np.float32(0), np.float32(3e38)]
        for value in map(np.float32, values):
            x = crossing(function, value)
            down, up = np.nextafter(x, -infinity), np.nextafter(x, infinity)
            special += [np.nextafter(down, -infinity), down, x, up, np.nextafter(up, infinity)]
        for value in special:
            row = table[random.integers(len(table))].copy()
            row[column] = value
            rows.append(row)
    if len(rows) > 240:
        rows = rows[:30] + [rows[i] for i in random.permutation(np.arange(30, len(rows)))[:210]]
    return np.array(rows, dtype=np.float32)


def scaled(name, estimator, target, table=X):
    estimator.fit(table, target)
    converted = to_onnx(estimator, table[:1], target_opset=17, options={id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None)
    save(name, converted, around_scaled(converted, table))


small = dict(n_estimators=4, max_depth=2, random_state=1)
scaled("scaled_boosting", make_pipeline(StandardScaler(), GradientBoostingClassifier(**small)), three)
scaled("scaled_forest", make_pipeline(StandardScaler(), RandomForestRegressor(5, max_depth=3, random_state=1)), real)
scaled("scaled_twice", make_pipeline(StandardScaler(), StandardScaler(), DecisionTreeRegressor(max_depth=4, random_state=1)), real)
coded = [("codes", OneHotEncoder(sparse_output=False), [0, 1])]
columns = lambda: ColumnTransformer([*coded, ("numbers", StandardScaler(), [2, 3, 4])])
scaled("scaled_columns", make_pipeline(columns(), GradientBoostingClassifier(**small)), two)
scaled("scaled_columns_forest", make_pipeline(columns(), RandomForestClassifier(5, max_depth=3, random_state=1)), three)
bits = ColumnTransformer(coded, remainder="passthrough")
scaled("scaled_bits", make_pipeline(bits, StandardScaler(), GradientBoostingClassifier(**small)), two)


def core(name, operators, modes, splits):
    """The two hand-made trees after a row of core operators."""
    constants, nodes, last = [], [], "x"
    for index, (operator, *values) in enumerate(operators):
        inputs = [last]
        if values:
            constants.append(onnx.numpy_helper.from_array(np.float32(values[0]), f"c{index}"))
            inputs = [f"c{index}", last] if values[1:] else [last, f"c{index}"]
        nodes.append(helper.make_node(operator, inputs, [last := f"t{index}"]))
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        [last],
        ["y"],
        domain="ai.onnx.ml",
        **NODES,
        nodes_values=[float(split) for split in splits],
        nodes_modes=modes,
        target_treeids=[tree for tree, _ in LEAVES],
        target_nodeids=[node for _, node in LEAVES],
        target_ids=[0] * 5,
        target_weights=[-1.0, 0.5, 0.25, 0.75, -0.5],
        n_targets=1,
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes + [trees], name, [info("x", 1, [None, 2])], [info("y", 1, None)], initializer=constants
    )
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=sets, producer_name="make_trees.py")
    model.ir_version = 9
    save(name, model, around_scaled(model, (random.normal(size=(40, 2)) * 4).round().astype(np.float32) / 4))


order = ["BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"]
standard = [("Sub", [0.3, -0.7]), ("Div", [1.7, 0.9])]
core("scaled_core", standard, order, SPLITS)
core("scaled_core_equal", standard, mixed, [0.1, 0, 1.5, 0, 0, -0.25, 0, 0])
turned = [("Neg",), ("Mul", [0.1, -3.3]), ("Sub", [0.2, 0.2], True), ("Add", [1e-3, 2.5])]
core("scaled_core_turned", turned, order, SPLITS)
core("scaled_core_turned_equal", turned, mixed, [0.2, 0, 1.5, 0, 0, -0.25, 0, 0])
# Steps of 4 in the scaled column: neighbouring inputs become one number, which some threshold equals.
coarse = [("Add", [2.0**25, 2.0**25]), ("Sub", [2.0**25, 2.0**25])]
core("scaled_core_coarse", coarse, mixed, [4, 0, 0, 0, 0, -4, 0, 0])

lines = (f'"{name}":[' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "]" for name, cases in made.items())
(HERE / "trees.json").write_text("{" + ",\n".join(lines) + "}\n")
