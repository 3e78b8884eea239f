"""Rewrites a tree ensemble of `ai.onnx.ml` as tensor operators, through Hummingbird: EZKL proves no others.

    peer_trees.py FROM TO

Hummingbird drops the base values of boosted trees: they go into the leaves of the first tree before.
"""

import sys

import numpy
import onnx
from hummingbird.ml import convert


def without_base_values(node):
    attributes = {attribute.name: attribute for attribute in node.attribute}
    base = attributes.pop("base_values", None)
    if base is None:
        return
    kind = "class" if "class_ids" in attributes else "target"
    ids, trees, weights = (attributes[f"{kind}_{part}"] for part in ("ids", "treeids", "weights"))
    for leaf, (target, tree) in enumerate(zip(ids.ints, trees.ints)):
        if tree == trees.ints[0]:
            weights.floats[leaf] += base.floats[target if len(base.floats) > 1 else 0]
    node.attribute.remove(base)


source, target = sys.argv[1:]
model = onnx.load(source)
for node in model.graph.node:
    if node.op_type.startswith("TreeEnsemble"):
        without_base_values(node)
extents = [extent.dim_value or 1 for extent in model.graph.input[0].type.tensor_type.shape.dim]
tensors = convert(model, "onnx", numpy.zeros(extents, dtype=numpy.float32)).model
# One sample: EZKL wants every extent as a number.
for extent, number in zip(tensors.graph.input[0].type.tensor_type.shape.dim, extents):
    extent.dim_value = number
onnx.save(tensors, target)
