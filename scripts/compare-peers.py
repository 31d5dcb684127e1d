"""The peers in Python of scripts/compare-steps.py, each as its own documentation recommends for a CPU.

    compare-peers.py PEER THREADS    answers requests as benches/peer_steps.rs does (its head says which)

PEER is numpy, sklearn, torch, jax or onnxruntime. Each is a class that says how it prepares a job, starts over, and does the work
once; the loop around the work is Python's, as it is for those who use the library.
"""

import json
import os
import pathlib
import sys
import time
import warnings

# How many losses are compared.
COMPARED = 5
# Nanoseconds for which each way to do a job is tried, where a peer has several.
TRIAL = 200_000_000


class Job:
    """What scripts/compare-steps.py describes, with its numbers."""

    def __init__(self, words):
        import numpy as np

        self.__dict__.update(json.loads(words))
        self.dtype = np.dtype({"f32": "<f4", "f64": "<f8"}[self.type])
        folder = pathlib.Path(self.folder)
        self.x = np.fromfile(folder / "x", dtype=self.dtype).reshape(self.rows, self.widths[0])
        self.y = np.fromfile(folder / "y", dtype=self.dtype).reshape(self.rows, self.widths[-1])
        self.params = np.fromfile(folder / "params", dtype=self.dtype)
        self.classifies = self.output == "softmax"
        self.labels = self.y.argmax(1) if self.classifies else None

    def layers(self, flat):
        """For each layer its weights, inputs x outputs, and its biases or None, as views of a flat buffer."""
        at = 0
        for inputs, outputs in zip(self.widths, self.widths[1:]):
            weights = flat[at : at + inputs * outputs].reshape(inputs, outputs)
            at += weights.size
            biases = flat[at : at + outputs] if self.biases else None
            at += outputs if self.biases else 0
            yield weights, biases

    def batches(self):
        """The slices of an epoch."""
        return [slice(start, min(start + self.batch, self.rows)) for start in range(0, self.rows, self.batch)]


class Peer:
    """What a library does; its methods are what is measured.

    A job's work is `step` (the loss, after which the parameters have moved), `gradient`, `epoch` or `predict`. What it gives is
    made numbers by `numbers`, and `finish` waits for it.
    """

    works = ("step", "gradient", "epoch", "predict")

    def load(self, job):
        """Prepares a job; says how it is done, if there is a choice, or gives None if the library cannot."""
        self.job = job
        self.prepare(job)
        self.once = getattr(self, job.work)
        return "ok"

    def choose(self, ways):
        """Takes the fastest of several ways to do the work: the name of each, and a function that gives the work."""
        times, works = {}, {}
        for name, make in ways.items():
            try:
                works[name] = self.once = make()
                self.start_over()
                for _ in range(2):
                    begun = time.perf_counter_ns()
                    self.finish(self.once())
                    once = time.perf_counter_ns() - begun
                # The best of three, for others use this machine too; an epoch is long enough by itself.
                repetitions = TRIAL // 3 // once
                times[name] = min(self.time(repetitions) / repetitions for _ in range(3)) if repetitions else once
            except Exception as error:
                print(f"compare: skipped {name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        best = min(times, key=times.get)
        self.once = works[best]
        return f"ok {best}"

    def finish(self, result):
        """Waits until the result is there."""

    def answer(self):
        """What is compared, before any time is taken."""
        self.start_over()
        repetitions = COMPARED if self.job.work == "step" else 1
        return [number for _ in range(repetitions) for number in self.numbers(self.once())]

    def time(self, repetitions):
        self.start_over()
        once, count = self.once, range(repetitions)
        if self.job.work != "epoch":
            self.finish(once())
        result = None
        begun = time.perf_counter_ns()
        for _ in count:
            result = once()
        self.finish(result)
        return time.perf_counter_ns() - begun


# -------------------------------------------------------------------------------------------------------------- NumPy


class NumPy(Peer):
    """Plain expressions, into arrays made once."""

    def __init__(self, threads):
        from compare_sides import numpy_features

        import numpy as np

        self.np = np
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        self.about = f"NumPy {np.__version__} at {numpy_features()[-1]}, {blas['name']} {blas['version']}"

    def prepare(self, job):
        np = self.np
        rows = min(job.batch, job.rows)
        self.flat = job.params.copy()
        self.slopes = np.zeros_like(self.flat)
        self.layers, self.gradients = list(job.layers(self.flat)), list(job.layers(self.slopes))
        self.activations = [np.empty((rows, width), job.dtype) for width in job.widths[1:]]
        self.deltas = [np.empty((rows, width), job.dtype) for width in job.widths[1:]]
        self.moments = [np.zeros_like(self.flat) for _ in range(2)]
        self.work = np.empty_like(self.flat)
        self.start_over()

    def start_over(self):
        self.flat[:] = self.job.params
        self.steps = 0
        for moment in self.moments:
            moment[:] = 0

    def activate(self, name, z):
        np = self.np
        if name == "relu":
            np.maximum(z, 0, out=z)
        elif name == "tanh":
            np.tanh(z, out=z)
        elif name == "sigmoid":
            np.negative(z, out=z)
            np.exp(z, out=z)
            z += 1
            np.reciprocal(z, out=z)
        elif name == "softmax":
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)

    def forward(self, x):
        """All activations, the input first."""
        found = [x]
        last = len(self.layers) - 1
        for l, (weights, biases) in enumerate(self.layers):
            z = self.np.matmul(found[-1], weights, out=self.activations[l][: len(x)])
            if biases is not None:
                z += biases
            self.activate(self.job.output if l == last else self.job.hidden, z)
            found.append(z)
        return found

    def times_slope(self, name, a, delta):
        if name == "relu":
            delta *= a > 0
        elif name == "tanh":
            delta *= 1 - a * a
        elif name == "sigmoid":
            delta *= a * (1 - a)

    def backward(self, x, y, labels):
        """The loss; the gradient is in `slopes`."""
        np, job, rows = self.np, self.job, len(x)
        activations = self.forward(x)
        delta = np.subtract(activations[-1], y, out=self.deltas[-1][:rows])
        if job.classifies:
            loss = -np.log(activations[-1][np.arange(rows), labels]).mean()
        else:
            loss = np.vdot(delta, delta) / (2 * rows)
            self.times_slope(job.output, activations[-1], delta)
        delta /= rows
        for l in reversed(range(len(self.layers))):
            weights, biases = self.gradients[l]
            np.matmul(activations[l].T, delta, out=weights)
            if biases is not None:
                np.sum(delta, axis=0, out=biases)
            if l:
                delta = np.matmul(delta, self.layers[l][0].T, out=self.deltas[l - 1][:rows])
                self.times_slope(job.hidden, activations[l], delta)
        return loss

    def update(self):
        np, job, work = self.np, self.job, self.work
        if job.method == "sgd":
            self.flat -= np.multiply(self.slopes, job.rate, out=work)
            return
        self.steps += 1
        mean, square = self.moments
        mean *= 0.9
        mean += np.multiply(self.slopes, 0.1, out=work)
        square *= 0.999
        np.multiply(self.slopes, self.slopes, out=work)
        work *= 0.001
        square += work
        # The corrections of both means, in the rate and in epsilon.
        correction = (1 - 0.999**self.steps) ** 0.5
        np.sqrt(square, out=work)
        work += 1e-8 * correction
        np.divide(mean, work, out=work)
        work *= job.rate * correction / (1 - 0.9**self.steps)
        self.flat -= work

    def step_on(self, x, y, labels):
        loss = self.backward(x, y, labels)
        self.update()
        return loss

    def step(self):
        return self.step_on(self.job.x, self.job.y, self.job.labels)

    def gradient(self):
        return self.backward(self.job.x, self.job.y, self.job.labels)

    def epoch(self):
        job, total = self.job, 0.0
        for rows in job.batches():
            total += self.step_on(job.x[rows], job.y[rows], job.labels[rows]) * (rows.stop - rows.start)
        return total / job.rows

    def predict(self):
        return self.forward(self.job.x)[-1]

    def numbers(self, result):
        if self.job.work == "gradient":
            return [result, *self.slopes]
        return self.np.ravel(result)


# -------------------------------------------------------------------------------------------------------- scikit-learn


class ScikitLearn(Peer):
    """MLPClassifier or MLPRegressor: partial_fit with a batch as large as the data, and the passes beneath it."""

    def __init__(self, threads):
        import sklearn

        warnings.simplefilter("ignore")
        self.about = f"scikit-learn {sklearn.__version__}"

    def load(self, job):
        if job.output == "sigmoid" or not job.biases:
            return "none: has no squared error of a sigmoid, and always biases"
        super().load(job)
        call = {"gradient": "_backprop", "predict": "_forward_pass_fast"}.get(job.work, "partial_fit")
        return f"ok {call}"

    def prepare(self, job):
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        settings = {
            "hidden_layer_sizes": job.widths[1:-1],
            "activation": job.hidden,
            "solver": job.method,
            "learning_rate_init": job.rate,
            "batch_size": job.batch,
            "alpha": 0.0,
            "momentum": 0.0,
            "nesterovs_momentum": False,
            "shuffle": False,
        }
        self.model = (MLPClassifier if job.classifies else MLPRegressor)(**settings)
        self.targets = job.labels if job.classifies else job.y
        # The first call makes what is then overwritten.
        classes = {"classes": range(job.widths[-1])} if job.classifies else {}
        self.model.set_params(batch_size=1).partial_fit(job.x[:1], self.targets[:1], **classes)
        self.model.set_params(batch_size=job.batch)
        # As `_fit` makes them.
        layers = range(self.model.n_layers_ - 1)
        self.activations, self.deltas = [job.x] + [None for _ in layers], [None for _ in layers]
        self.slopes = [[array.copy() for array in arrays] for arrays in (self.model.coefs_, self.model.intercepts_)]

    def start_over(self):
        for (weights, biases), ours, theirs in zip(self.job.layers(self.job.params), self.model.coefs_, self.model.intercepts_):
            ours[:], theirs[:] = weights, biases
        self.model.__dict__.pop("_optimizer", None)

    def step(self):
        self.model.partial_fit(self.job.x, self.targets)
        return self.model.loss_

    epoch = step

    def gradient(self):
        return self.model._backprop(self.job.x, self.job.y, None, self.activations, self.deltas, *self.slopes)[0]

    def predict(self):
        return self.model._forward_pass_fast(self.job.x, check_input=False)

    def numbers(self, result):
        if self.job.work == "predict":
            return result.ravel()
        # Its squared error is the mean over outputs, too, its gradient that of the sum.
        loss = result * (1 if self.job.classifies else self.job.widths[-1])
        if self.job.work == "gradient":
            return [loss, *(number for layer in zip(*self.slopes) for array in layer for number in array.ravel())]
        return [loss]


# ------------------------------------------------------------------------------------------------------------ PyTorch


class PyTorch(Peer):
    """nn.Linear in nn.Sequential, a fused optimiser; eager, or compiled where that is faster."""

    def __init__(self, threads):
        from compare_sides import import_torch

        self.torch = torch = import_torch()
        torch.set_num_threads(threads)
        self.about = f"PyTorch {torch.__version__} at {torch.backends.cpu.get_cpu_capability()}"

    def load(self, job):
        torch = self.torch
        torch.compiler.reset()
        self.job = job
        self.prepare(job)
        model = self.predictor if job.work == "predict" else self.loss

        def compiled(function, **options):
            return torch.compile(function, dynamic=False, options=options or None)

        update = self.optimizer.step
        ways = {"eager": lambda: self.work(model, update), "compiled": lambda: self.work(compiled(model), update)}
        if job.work == "predict":
            ways["compiled, frozen"] = lambda: self.work(compiled(model, freezing=True), update)
        if job.work in ("step", "epoch"):
            ways["compiled with its optimiser"] = lambda: self.work(compiled(model), compiled(update))
        return self.choose(ways)

    def prepare(self, job):
        torch = self.torch
        nn = torch.nn
        activations = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=1)}
        modules = []
        for inputs, outputs in zip(job.widths, job.widths[1:]):
            modules += [nn.Linear(inputs, outputs, bias=job.biases, dtype=torch.from_numpy(job.x).dtype), activations[job.hidden]()]
        del modules[-1]
        self.linear = modules[::2]
        # The loss reads logits, as it should.
        logits = nn.Sequential(*modules)
        model = logits if job.output == "identity" else nn.Sequential(*modules, activations[job.output]())
        self.x, self.y = torch.from_numpy(job.x), torch.from_numpy(job.y)
        self.targets = torch.from_numpy(job.labels) if job.classifies else self.y
        half = job.widths[-1] / 2  # Of the mean over outputs, the half of the sum.
        if job.classifies:
            self.loss = lambda x, y: nn.functional.cross_entropy(logits(x), y)
        else:
            self.loss = lambda x, y: nn.functional.mse_loss(model(x), y) * half
        self.predictor = model
        methods = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        self.optimizer = methods[job.method](model.parameters(), lr=job.rate, fused=True)
        self.batches = job.batches()
        self.start_over()

    def start_over(self):
        torch = self.torch
        with torch.no_grad():
            for layer, (weights, biases) in zip(self.linear, self.job.layers(self.job.params)):
                layer.weight.copy_(torch.from_numpy(weights).T)
                if biases is not None:
                    layer.bias.copy_(torch.from_numpy(biases))
            for state in self.optimizer.state.values():
                for value in state.values():
                    if torch.is_tensor(value):
                        value.zero_()

    def work(self, model, update):
        """The job's work, as a function."""
        job, x, targets = self.job, self.x, self.targets
        clear = self.optimizer.zero_grad

        def gradient(x=x, targets=targets):
            clear()
            loss = model(x, targets)
            loss.backward()
            return loss

        def step(x=x, targets=targets):
            loss = gradient(x, targets)
            update()
            return loss

        def epoch():
            total = 0.0
            for rows in self.batches:
                total = total + step(x[rows], targets[rows]).detach() * (rows.stop - rows.start)
            return total / job.rows

        def predict():
            with inference_mode():
                return model(x)

        inference_mode = self.torch.inference_mode
        return {"gradient": gradient, "step": step, "epoch": epoch, "predict": predict}[job.work]

    def numbers(self, result):
        found = [*result.detach().double().ravel().tolist()]
        if self.job.work == "gradient":
            for layer in self.linear:
                found += [*layer.weight.grad.T.ravel().tolist(), *layer.bias.grad.tolist()]
        return found


# ---------------------------------------------------------------------------------------------------------------- JAX


class Jax(Peer):
    """A step as one jitted function, its state donated."""

    def __init__(self, threads):
        import jax

        jax.config.update("jax_platforms", "cpu")
        # For the network in f64; arrays of f32 stay so.
        jax.config.update("jax_enable_x64", True)
        self.jax, self.numpy = jax, jax.numpy
        self.about = f"JAX {jax.__version__}"

    def prepare(self, job):
        jax, np = self.jax, self.numpy
        nn = jax.nn
        apply = {"relu": nn.relu, "tanh": np.tanh, "sigmoid": nn.sigmoid, "softmax": nn.softmax, "identity": lambda z: z}

        def logits(params, x):
            for l, (weights, biases) in enumerate(params):
                z = x @ weights if biases is None else x @ weights + biases
                x = apply[job.hidden](z) if l + 1 < len(params) else z
            return x

        def loss(params, x, targets):
            z = logits(params, x)
            if job.classifies:
                return -np.take_along_axis(nn.log_softmax(z), targets[:, None], axis=1).mean()
            return ((apply[job.output](z) - targets) ** 2).sum(axis=1).mean() / 2

        tree_map = jax.tree_util.tree_map

        def step(state, x, targets):
            params, mean, square, steps = state
            value, slopes = jax.value_and_grad(loss)(params, x, targets)
            if job.method == "sgd":
                return (tree_map(lambda p, g: p - job.rate * g, params, slopes), mean, square, steps), value
            steps = steps + 1
            mean = tree_map(lambda m, g: 0.9 * m + 0.1 * g, mean, slopes)
            square = tree_map(lambda s, g: 0.999 * s + 0.001 * g * g, square, slopes)
            first, second = 1 - 0.9**steps, 1 - 0.999**steps
            move = lambda p, m, s: p - job.rate * (m / first) / (np.sqrt(s / second) + 1e-8)
            return (tree_map(move, params, mean, square), mean, square, steps), value

        def step_at(state, total, x, targets, start, size):
            rows = [jax.lax.dynamic_slice_in_dim(array, start, size) for array in (x, targets)]
            state, value = step(state, *rows)
            return state, total + value * size

        self.jit_step = jax.jit(step, donate_argnums=0)
        self.jit_step_at = jax.jit(step_at, donate_argnums=(0, 1), static_argnums=5)
        self.jit_gradient = jax.jit(jax.value_and_grad(loss))
        self.jit_predict = jax.jit(lambda params, x: apply[job.output](logits(params, x)))
        self.x = np.array(job.x)
        self.targets = np.array(job.labels if job.classifies else job.y)
        self.batches = [(rows.start, rows.stop - rows.start) for rows in job.batches()]

    def start_over(self):
        np = self.numpy
        job = self.job
        copies = lambda flat: [
            (np.array(weights), None if biases is None else np.array(biases)) for weights, biases in job.layers(flat)
        ]
        zeros = lambda: copies(job.params * 0)
        moments = (zeros(), zeros()) if job.method == "adam" else ((), ())
        self.state = (copies(job.params), *moments, np.zeros((), job.dtype))
        self.jax.block_until_ready(self.state)

    def step(self):
        self.state, loss = self.jit_step(self.state, self.x, self.targets)
        return loss

    def epoch(self):
        total = self.numpy.zeros((), self.job.dtype)
        for start, size in self.batches:
            self.state, total = self.jit_step_at(self.state, total, self.x, self.targets, start, size)
        return total / self.job.rows

    def gradient(self):
        return self.jit_gradient(self.state[0], self.x, self.targets)

    def predict(self):
        return self.jit_predict(self.state[0], self.x).block_until_ready()

    def finish(self, result):
        self.jax.block_until_ready(result)
        if self.job.work in ("step", "epoch"):
            self.jax.block_until_ready(self.state)

    def numbers(self, result):
        leaves = self.jax.tree_util.tree_leaves(result)
        return [number for leaf in leaves for number in self.numpy.ravel(leaf).tolist()]


# -------------------------------------------------------------------------------------------------------- ONNX Runtime


class OnnxRuntime(Peer):
    """A session on a graph of Gemm nodes; run with arrays, or bound to memory where that is faster."""

    def __init__(self, threads):
        import onnxruntime

        self.runtime, self.threads = onnxruntime, threads
        self.about = f"ONNX Runtime {onnxruntime.__version__}"

    def load(self, job):
        if job.work != "predict":
            return "none: only predicts"
        self.job = job
        self.prepare(job)
        return self.choose({"arrays": lambda: self.with_arrays, "bound memory": lambda: self.with_binding})

    def prepare(self, job):
        import numpy as np
        import onnx
        from onnx import helper, numpy_helper

        names = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}
        nodes, constants, below = [], [], "x"
        for l, (weights, biases) in enumerate(job.layers(job.params)):
            constants += [numpy_helper.from_array(np.ascontiguousarray(array), f"{name}{l}") for name, array in (("w", weights), ("b", biases))]
            last = l + 2 == len(job.widths)
            nodes.append(helper.make_node("Gemm", [below, f"w{l}", f"b{l}"], [f"z{l}"]))
            nodes.append(helper.make_node(names[job.output if last else job.hidden], [f"z{l}"], ["y" if last else f"a{l}"]))
            below = f"a{l}"
        number = onnx.TensorProto.FLOAT if job.type == "f32" else onnx.TensorProto.DOUBLE
        ends = [helper.make_tensor_value_info(name, number, [job.rows, width]) for name, width in (("x", job.widths[0]), ("y", job.widths[-1]))]
        graph = helper.make_graph(nodes, "network", ends[:1], ends[1:], constants)
        # Versions that runtimes of some years ago read, too.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.execution_mode = self.runtime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = self.runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = self.runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        value = self.runtime.OrtValue
        self.bound = [value.ortvalue_from_numpy(job.x), value.ortvalue_from_numpy(np.zeros_like(job.y))]
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("x", self.bound[0])
        self.binding.bind_ortvalue_output("y", self.bound[1])
        self.feed = {"x": job.x}

    def start_over(self):
        pass

    def with_arrays(self):
        return self.session.run(None, self.feed)[0]

    def with_binding(self):
        self.session.run_with_iobinding(self.binding)
        return self.bound[1]

    def numbers(self, result):
        return (result.numpy() if hasattr(result, "numpy") else result).ravel()


# ------------------------------------------------------------------------------------------------------------- serving

PEERS = {"numpy": NumPy, "sklearn": ScikitLearn, "torch": PyTorch, "jax": Jax, "onnxruntime": OnnxRuntime}


def served(peer):
    import numpy as np
    from compare_sides import serve

    serve(
        {
            "about": lambda _: peer.about,
            "load": lambda job: peer.load(Job(job)),
            "answer": lambda file: np.array(peer.answer(), dtype="<f8").tofile(file),
            "time": lambda repetitions: peer.time(int(repetitions)),
        }
    )


match sys.argv[1:]:
    case [name, threads] if name in PEERS:
        # Before anything is imported: most libraries read it once.
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = threads
        served(PEERS[name](int(threads)))
    case _:
        raise SystemExit(__doc__)
