"""ONNX files as other programs write them, for exchange/tests/onnx_files.rs: run with onnx installed, once.

    python3 scripts/golden-onnx.py          writes exchange/tests/golden/*.onnx and golden/files.json

Each graph has the form in which an exporter writes it: PyTorch's (Gemm with transB, GELU by Erf, layer normalisation by arithmetic),
Keras's (MatMul and Add, constants among the inputs), scikit-learn's (Scaler, Imputer, ArgMax, ZipMap). What it gives for some rows is
computed by onnx's own reference implementation. Others must be refused, with the words that the refusal has to hold.
"""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.checker import check_model
from onnx.reference import ReferenceEvaluator

FOLDER = Path(__file__).parent.parent / "exchange/tests/golden"
RNG = np.random.default_rng(5)
KINDS = {"float": TensorProto.FLOAT, "double": TensorProto.DOUBLE, "string": TensorProto.STRING, "int64": TensorProto.INT64,
         "float16": TensorProto.FLOAT16}  # fmt: skip


class Graph:
    """A graph that grows; every node's result is `name` of its call, or a number."""

    def __init__(self, dtype="float", inputs=None, version=18):
        self.dtype, self.version = dtype, version
        self.inputs = inputs or [("x", dtype, [None, 4])]
        self.nodes, self.constants = [], []

    def array(self, *shape):
        return RNG.normal(size=shape).astype(np.float64 if self.dtype == "double" else np.float32)

    def constant(self, value, lists=False):
        name = f"c{len(self.constants)}"
        array = np.asarray(value)
        if array.dtype == np.float64 and self.dtype == "float":
            array = array.astype(np.float32)
        if lists:
            tensor = helper.make_tensor(name, KINDS[self.dtype], array.shape, array.ravel().tolist())
        else:
            tensor = numpy_helper.from_array(array, name)
        self.constants.append(tensor)
        return name

    def node(self, operator, *inputs, outputs=1, domain="", **attributes):
        inputs = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        names = [f"v{len(self.nodes)}" + "abc"[:i] for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"{operator}_{len(self.nodes)}", domain=domain, **attributes))
        return names[0]

    def ml(self, operator, *inputs, **attributes):
        return self.node(operator, *inputs, domain="ai.onnx.ml", **attributes)

    def gemm(self, x, rows, columns):
        return self.node("Gemm", x, self.array(columns, rows), self.array(columns), transB=1)

    def model(self, outputs, constants_are_inputs=False):
        inputs = [helper.make_tensor_value_info(name, KINDS[kind], shape) for name, kind, shape in self.inputs]
        if constants_are_inputs:
            inputs += [helper.make_tensor_value_info(c.name, c.data_type, list(c.dims)) for c in self.constants]
        values = [helper.make_tensor_value_info(name, KINDS[kind], [None] if kind == "string" else [None, None]) for name, kind in outputs]
        graph = helper.make_graph(self.nodes, "graph", inputs, values, self.constants)
        imports = [helper.make_opsetid("", self.version), helper.make_opsetid("ai.onnx.ml", 3)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="golden")


CASES = {}


def accepted(name, graph, outputs, network, feeds=None, columns=None, **more):
    """A file that is read: as this network, with these outputs for rows."""
    model = graph.model(outputs, more.pop("constants_are_inputs", False))
    check_model(model)
    if feeds is None:
        feeds = {"x": graph.array(6, 4)}
    given = more.pop("of", np.asarray)(ReferenceEvaluator(model).run([outputs[more.pop("output", 0)][0]], feeds)[0])
    # Cells as a table has them: by column of each input.
    cells = [[str(c) for c in np.hstack([v.reshape(6, -1).astype(object) for v in feeds.values()])[r]] for r in range(6)]
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())
    given = np.asarray(given, float).reshape(6, -1).tolist()
    CASES[name] = {"network": network, "cells": cells, "outputs": given, "columns": columns, **more}


def refused(name, model, *words):
    model = model if isinstance(model, bytes) else model.SerializeToString()
    (FOLDER / f"{name}.onnx").write_bytes(model)
    CASES[name] = {"refused": words}


def pytorch():
    g = Graph(version=14)
    z = g.gemm("x", 4, 5)
    half = g.node("Add", g.node("Erf", g.node("Div", z, np.float32(np.sqrt(2)))), np.float32(1))
    a = g.node("Mul", g.node("Mul", z, half), np.float32(0.5))
    accepted("pytorch_gelu", g, [(g.gemm(a, 5, 2), "float")], "4-5-2, gelu, identity")

    g = Graph(version=14)
    z = g.gemm("x", 4, 5)
    centred = g.node("Sub", z, g.node("ReduceMean", z, axes=[-1]))
    variance = g.node("ReduceMean", g.node("Pow", centred, np.float32(2)), axes=[-1])
    h = g.node("Div", centred, g.node("Sqrt", g.node("Add", variance, np.float32(1e-5))))
    h = g.node("Add", g.node("Mul", h, g.array(5)), g.array(5))
    y = g.node("Softmax", g.gemm(g.node("Mul", h, g.node("Sigmoid", h)), 5, 3), axis=1)
    accepted("pytorch_layer_norm_silu", g, [(y, "float")], "4-5-3, silu of layer norm, softmax")

    g = Graph()
    z = g.node("BatchNormalization", g.gemm("x", 4, 5), g.array(5), g.array(5), g.array(5), g.array(5) ** 2, epsilon=1e-5)
    a = g.node("Dropout", g.node("Relu", z))
    a = g.node("BatchNormalization", a, g.array(5), g.array(5), g.array(5), g.array(5) ** 2, epsilon=1e-3)
    y = g.node("Sigmoid", g.gemm(g.node("Flatten", a), 5, 1))
    accepted("pytorch_batch_norm", g, [(y, "float")], "4-5-1, relu, sigmoid")

    g = Graph()
    y = g.node("LogSoftmax", g.gemm("x", 4, 3), axis=-1)
    accepted("pytorch_log_softmax", g, [(y, "float")], "4-3, softmax", of=np.exp)

    g = Graph(inputs=[("x", "float", [6, 2, 2])])
    flat = g.node("Reshape", "x", np.array([6, 4], np.int64))
    feeds = {"x": g.array(6, 2, 2)}
    y = g.gemm(g.node("Elu", g.gemm(flat, 4, 3), alpha=0.3), 3, 1)
    accepted("pytorch_flatten", g, [(y, "float")], "4-3-1, elu=0.3, identity", feeds)


def keras():
    g = Graph(version=9)
    z = g.node("Add", g.node("MatMul", "x", g.constant(g.array(4, 5), lists=True)), g.constant(g.array(5), lists=True))
    a = g.node("LeakyRelu", z, alpha=0.3)
    y = g.node("Add", g.node("MatMul", a, g.array(5, 1)), g.array(1))
    outputs = [(g.node("Identity", y), "float")]
    accepted("keras_leaky", g, outputs, "4-5-1, leaky_relu=0.3, identity", constants_are_inputs=True)

    g = Graph(dtype="double")
    z = g.node("MatMul", "x", g.node("Transpose", g.node("Constant", value=numpy_helper.from_array(g.array(5, 4))), perm=[1, 0]))
    a = g.node("Log", g.node("Add", g.node("Exp", z), np.float64(1)))
    z = g.node("Gemm", a, g.array(5, 2), g.array(1, 2), alpha=0.5, beta=2.0)
    y = g.node("Exp", g.node("Cast", z, to=TensorProto.DOUBLE))
    accepted("arithmetic_softplus", g, [(y, "double")], "4-5-2, softplus without biases, exponential")


def choices():
    g = Graph()
    z = g.gemm("x", 4, 5)
    a = g.node("Where", g.node("Greater", z, np.float32(0)), z, g.node("Mul", z, np.float32(0.1)))
    z = g.gemm(a, 5, 5)
    a = g.node("Max", z, np.float32(0))
    z = g.gemm(a, 5, 5)
    a = g.node("Clip", z, np.float32(0))
    z = g.gemm(a, 5, 3)
    # 2 tanh(z / 2) - 1 by lines before and behind an activation.
    a = g.node("Sub", g.node("Mul", g.node("Tanh", g.node("Mul", z, np.float32(0.5))), np.float32(2)), np.float32(1))
    accepted("arithmetic_choices", g, [(g.gemm(a, 3, 1), "float")], "4-5-5-5-3-1, leaky_relu=0.1, relu, relu, tanh, identity")


def scikit_learn():
    g = Graph()
    x = g.ml("Imputer", "x", imputed_value_floats=[0.5, 1.0, -1.0, 2.0], replaced_value_float=float("nan"))
    x = g.ml("Scaler", x, offset=[0.5, 1.0, -1.0, 2.0], scale=[2.0, 0.5, 0.25, 4.0])
    a = g.node("Tanh", g.node("Add", g.node("MatMul", x, g.array(4, 5)), g.array(1, 5)))
    p = g.node("Softmax", g.node("Add", g.node("MatMul", a, g.array(5, 3)), g.array(1, 3)))
    label = g.ml("ArrayFeatureExtractor", np.array(["a", "b", "c"], object), g.node("ArgMax", p, axis=1))
    label = g.node("Reshape", g.node("Cast", label, to=TensorProto.STRING), np.array([-1], np.int64))
    feeds = {"x": g.array(6, 4)}
    feeds["x"][1, 2] = np.nan
    accepted("scikit_learn_pipeline", g, [(label, "string"), (p, "float")], "4-5-3, tanh, softmax", feeds, labels=["a", "b", "c"], output=1)

    g = Graph()
    p = g.node("Sigmoid", g.node("Add", g.node("MatMul", "x", g.array(4, 1)), g.array(1)))
    pair = g.node("Concat", g.node("Sub", np.float32(1), p), p, axis=1)
    accepted("scikit_learn_two_classes", g, [(pair, "float")], "4-1, sigmoid")

    g = Graph(inputs=[("colour", "string", [None, 1]), ("a", "float", [None, 1]), ("b", "float", [None, 1])])
    hot = g.ml("OneHotEncoder", "colour", cats_strings=["blue", "red"], zeros=0)
    hot = g.node("Squeeze", hot, np.array([1], np.int64))
    numbers = g.node("Div", g.node("Sub", g.node("Concat", "a", "b", axis=1), g.array(2)), np.array([2.0, 3.0]))
    y = g.gemm(g.node("Concat", hot, numbers, axis=-1), 4, 1)
    y = g.node("Add", g.node("Mul", y, np.array([3.0])), np.array([7.0]))
    feeds = {"colour": np.array([["red"], ["blue"]] * 3, object), "a": g.array(6, 1), "b": g.array(6, 1)}
    accepted("columns", g, [(y, "float")], "4-1, identity", feeds, columns=["colour", "a", "b"])


def refusals():
    def simple(operator, **attributes):
        g = Graph()
        return g.model([(g.gemm(g.node(operator, g.gemm("x", 4, 5), **attributes), 5, 2), "float")])

    refused("refused_operator", simple("Mish"), "node 2 of 3 'Mish_1', Mish")
    g = Graph()
    relu6 = g.node("Clip", g.gemm("x", 4, 5), np.float32(0), np.float32(6))
    refused("refused_activation", g.model([(g.gemm(relu6, 5, 2), "float")]), "node 2 of 3 'Clip_1', Clip", "none of the activations")
    g = Graph()
    z = g.gemm("x", 4, 4)
    sum = g.node("Add", "x", g.node("Relu", z))
    refused("refused_residual", g.model([(g.gemm(sum, 4, 1), "float")]), "node 3 of 4 'Add_2', Add", "joins")
    g = Graph(inputs=[("x", "float", [None, 1, 8, 8])])
    y = g.node("Conv", "x", g.array(2, 1, 3, 3))
    refused("refused_convolution", g.model([(g.node("Flatten", y), "float")]), "node 1 of 2 'Conv_0', Conv")
    g = Graph()
    y = g.ml("LinearClassifier", "x", outputs=2, coefficients=[1.0] * 4, intercepts=[0.0], classlabels_ints=[0, 1])
    refused("refused_linear_classifier", g.model([(y, "int64")]), "ai.onnx.ml.LinearClassifier")
    g = Graph()
    y = g.node("FusedGemm", "x", g.array(4, 2), domain="com.microsoft")
    refused("refused_domain", g.model([(y, "float")]), "node 1 of 1 'FusedGemm_0', com.microsoft.FusedGemm")
    g = Graph(dtype="float16")
    weights = numpy_helper.from_array(g.array(4, 2).astype(np.float16), "w")
    g.constants.append(weights)
    model = g.model([(g.node("MatMul", "x", "w"), "float16")])
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    refused("refused_float16", model, "float16")
    g = Graph()
    model = g.model([(g.node("MatMul", "x", g.array(4, 2)), "float")])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")
    refused("refused_external", model, "in another file")
    g = Graph()
    model = g.model([(g.gemm("x", 4, 2), "float"), (g.gemm("x", 4, 2), "float")])
    refused("refused_two_networks", model, "two networks")
    g = Graph()
    model = g.model([(g.node("MatMul", "x", g.array(4, 2)), "float")])
    model.graph.initializer[0].dims[0] = 1 << 40
    refused("refused_shape", model, "its shape")
    g = Graph(inputs=[("c", "string", [None, 1])])
    hot = g.node("Squeeze", g.ml("OneHotEncoder", "c", cats_strings=["a", "b", "c", "d"], zeros=1), np.array([1], np.int64))
    refused("refused_any_category", g.model([(g.gemm(hot, 4, 1), "float")]), "any category")
    g = Graph()
    y = g.node("ReduceSum", g.gemm("x", 4, 2), np.array([1], np.int64))
    refused("refused_sum", g.model([(y, "float")]), "its output 'v1' is not what a network gives")
    g = Graph()
    w = g.array(4, 2)
    w[1, 1] = np.nan
    refused("refused_nan", g.model([(g.node("MatMul", "x", w), "float")]), "weight from input 2 to unit 2 is NaN")


FOLDER.mkdir(exist_ok=True)
for part in [pytorch, keras, choices, scikit_learn, refusals]:
    part()
lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in CASES.items()]
(FOLDER / "files.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
