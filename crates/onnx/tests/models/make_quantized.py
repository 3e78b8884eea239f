"""Trains small models of handwritten digits, quantises them with ONNX Runtime, and writes what ONNX Runtime makes of them.

    python make_quantized.py        # into quantized/: models, rows.npy (inputs), expected.json (whole numbers)

Needs onnx 1.23.2, onnxruntime 1.32.0, scikit-learn 1.9.1. Run it on a processor with VNNI (or ARM): on older ones ONNX Runtime's
kernels of uint8 by int8 let sums of two products saturate at 16 bits.
"""

import json
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

FOLDER = pathlib.Path(__file__).parent / "quantized"
ROWS = 200
generator = np.random.default_rng(7)
images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)


def model(nodes, constants, shape, result, result_type=TensorProto.FLOAT):
    tensors = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *shape])],
        [helper.make_tensor_value_info(result, result_type, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def mlp(sums):
    """64-24-10; each layer as Gemm, or as MatMul and Add."""
    network = MLPClassifier((24,), random_state=0, max_iter=300).fit(images, labels)
    (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
    nodes, before = [], "x"
    for layer in ("1", "2"):
        if sums:
            nodes.append(helper.make_node("MatMul", [before, "w" + layer], ["m" + layer]))
            nodes.append(helper.make_node("Add", ["m" + layer, "b" + layer], ["z" + layer]))
        else:
            nodes.append(helper.make_node("Gemm", [before, "w" + layer, "b" + layer], ["z" + layer], transB=1))
        before = "r" + layer
        if layer == "1":
            nodes.append(helper.make_node("Relu", ["z1"], ["r1"]))
    turn = (lambda w: w) if sums else (lambda w: w.T)
    return model(nodes, {"w1": turn(w1), "b1": b1, "w2": turn(w2), "b2": b2}, (64,), "z2")


def convolve(x, w, b, pad):
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))
    return np.einsum("ncyxij,ocij->noyx", windows, w) + b[None, :, None, None]


def cnn(head):
    """Two convolutions of random filters, and a trained layer on top."""
    w1, b1 = generator.normal(size=(4, 1, 3, 3)) * 0.5, generator.normal(size=4) * 0.1
    w2, b2 = generator.normal(size=(8, 4, 3, 3)) * 0.3, generator.normal(size=8) * 0.1
    inner = np.maximum(convolve(images.reshape(-1, 1, 8, 8), w1, b1, 1), 0)
    inner = inner.reshape(-1, 4, 4, 2, 4, 2).max((3, 5))
    inner = np.maximum(convolve(inner, w2, b2, 0), 0)
    features = inner.mean((2, 3)) if head == "mean" else inner.reshape(len(images), -1)
    top = LogisticRegression(max_iter=1000).fit(features, labels)
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
    ]
    before = "r2"
    if head == "mean":
        nodes.append(helper.make_node("GlobalAveragePool", ["r2"], ["a"]))
        before = "a"
    nodes.append(helper.make_node("Flatten", [before], ["f"]))
    nodes.append(helper.make_node("Gemm", ["f", "w3", "b3"], ["z"], transB=1))
    result, result_type = "z", TensorProto.FLOAT
    if head == "softmax":
        nodes.append(helper.make_node("Softmax", ["z"], ["p"], axis=1))
        result = "p"
    if head == "label":
        nodes.append(helper.make_node("ArgMax", ["z"], ["label"], axis=1, keepdims=0))
        result, result_type = "label", TensorProto.INT64
    constants = {"w1": w1, "b1": b1, "w2": w2, "b2": b2, "w3": top.coef_, "b3": top.intercept_}
    return model(nodes, constants, (1, 8, 8), result, result_type)


class Samples(CalibrationDataReader):
    def __init__(self, rows):
        self.rows = iter([{"x": rows[i : i + 1]} for i in range(100)])

    def get_next(self):
        return next(self.rows, None)


def quantized(name, floats, shape, form, activation, weight, per_channel, symmetric, **options):
    path = FOLDER / f"{name}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "float.onnx"
        onnx.save(floats, source)
        quantize_static(
            source,
            path,
            Samples(images.reshape(-1, *shape)),
            quant_format=form,
            activation_type=activation,
            weight_type=weight,
            per_channel=per_channel,
            extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": weight == QuantType.QInt8},
            **options,
        )
    written = onnx.load(path)
    onnx.save(written, path)
    return written


def code(written, result):
    """Scale and zero point of an output that DequantizeLinear writes."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in written.graph.initializer}
    for node in written.graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] == result:
            return constants[node.input[1]].astype(np.float32), int(constants[node.input[2]])
    return None


def rows():
    """Digits, and numbers around the places where an input of scale 1/255 is rounded to the next whole number."""
    digits = images[generator.permutation(len(images))[: ROWS // 2]]
    near = (generator.integers(-3, 260, (ROWS // 2, 64)) + 0.5).astype(np.float32) * np.float32(1 / 255)
    steps = generator.integers(-2, 3, near.shape)
    for _ in range(2):
        near = np.where(steps == 0, near, np.nextafter(near, np.where(steps > 0, np.inf, -np.inf).astype(np.float32)))
        steps -= np.sign(steps)
    return np.concatenate([digits, near]).astype(np.float32)


def main():
    FOLDER.mkdir(exist_ok=True)
    inputs = rows()
    np.save(FOLDER / "rows.npy", inputs)
    expected = {}
    u8, s8 = QuantType.QUInt8, QuantType.QInt8
    kinds = [("u8", u8, s8, False, False), ("s8", s8, s8, False, False), ("s8_channels", s8, s8, True, True), ("u8_u8", u8, u8, True, False)]
    forms = [("operators", QuantFormat.QOperator), ("qdq", QuantFormat.QDQ)]
    sources = [("mlp", mlp(False), (64,)), ("cnn", cnn("flat"), (1, 8, 8))]
    made = [(f"{name}_{form[0]}_{kind[0]}", floats, shape, form[1], *kind[1:]) for name, floats, shape in sources for form in forms for kind in kinds]
    sums, mean, label, share = mlp(True), cnn("mean"), cnn("label"), cnn("softmax")
    for form in forms:
        made.append((f"sums_{form[0]}_u8", sums, (64,), form[1], u8, s8, False, False))
        made.append((f"sums_{form[0]}_s8", sums, (64,), form[1], s8, s8, False, False))
    made.append(("mean_operators_u8", mean, (1, 8, 8), QuantFormat.QOperator, u8, s8, False, False))
    made.append(("label_qdq_u8", label, (1, 8, 8), QuantFormat.QDQ, u8, s8, True, False))
    made.append(("softmax_qdq_s8", share, (1, 8, 8), QuantFormat.QDQ, s8, s8, True, False))
    for name, floats, shape, *kind in made:
        options = {"op_types_to_quantize": ["Conv", "Gemm", "MaxPool", "Relu", "Flatten"]} if "softmax" in name else {}
        written = quantized(name, floats, shape, *kind, **options)
        session = onnxruntime.InferenceSession(FOLDER / f"{name}.onnx", providers=["CPUExecutionProvider"])
        result = session.get_outputs()[0].name
        outputs = [session.run(None, {"x": row[None].reshape(1, *shape)})[0].ravel() for row in inputs]
        outputs = np.stack(outputs)
        entry = {}
        if (known := code(written, result)) is not None:
            scale, zero = known
            numbers = np.rint(outputs / scale).astype(np.int64) + zero
            assert (((numbers - zero).astype(np.float32) * scale) == outputs).all()
            entry = {"scale": float(scale), "zero": zero, "numbers": numbers.tolist()}
        elif outputs.dtype == np.int64:
            entry = {"labels": outputs.ravel().tolist()}
        else:
            entry = {"reals": outputs[:20].astype(float).tolist()}
        expected[name] = entry
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in expected.items())
    (FOLDER / "expected.json").write_text("{\n" + lines + "\n}\n")
    onnx.save(sources[1][1], FOLDER / "cnn.onnx")


main()
