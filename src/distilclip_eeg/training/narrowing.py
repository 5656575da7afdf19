"""An ONNX graph in f32 -> the same with its weights stored in fp16, and back.

Weights that fp16 holds exactly are stored so and widened by a Cast on loading: half the
file, the same numbers. Knows no torch and no model.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MIN_NARROWED = 256  # numbers; smaller tensors stay f32 in the ONNX file


def narrowed(model: onnx.ModelProto) -> bytes:
    """Store large weights as fp16 and widen them in the graph: half the file."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < MIN_NARROWED:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue  # folded by the exporter from several weights: kept exact
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.fp16"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for node in graph.node:  # where the exporter writes paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def widened(content: bytes) -> onnx.ModelProto:
    """Undo `narrowed`: every weight is an f32 tensor again."""
    model = onnx.load_from_string(content)
    graph = model.graph
    halves = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.FLOAT16
    }
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return model
