"""
JAX: exercise 1, softmax regression, the perceptron, the CNN of exercise 3, alone or many side by side, exercise 3 from
start to end, the grid of exercise 2. On the CPU, or where the specification says so on a GPU.

Forms: "scan" (one jit over lax.scan of all steps of an epoch, Adam from optax); "vmap" (all lanes side by side in that
scan). Data are float32 on the device and shuffled every epoch; arguments are donated. With precision bfloat16 the CNN's
operands are cast, parameters stay float32.
"""
import os
from functools import partial

import protocol

spec = protocol.specification()
on_gpu = spec.get("device") == "cuda"
os.environ["JAX_PLATFORMS"] = "cuda" if on_gpu else "cpu"
if on_gpu:
    # All of the memory would be taken from the other contestants.
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
else:
    protocol.pin(spec["threads"], spec["copy"])
try:
    import jax
    import jax.numpy as jnp
    import optax
except ImportError as error:
    protocol.absent(error)
try:
    jax.devices()
except (RuntimeError, AssertionError) as error:
    protocol.absent(f"this JAX finds no GPU {error}".strip())

if on_gpu:
    precisions = {"tf32": "tensorfloat32", "bfloat16": "default"}
    jax.config.update("jax_default_matmul_precision", precisions.get(spec.get("precision"), "highest"))


def optimizer_of(name, settings):
    if name == "adam":
        return optax.adam(settings["lr"])
    return optax.sgd(settings["lr"], momentum=settings.get("momentum"))


def quadratic():
    x, y = jnp.array(protocol.EX1_INPUTS), jnp.array(protocol.EX1_TARGETS)

    def loss_of(parameters):
        W, b = parameters
        return jnp.sum((W * x + b - y) ** 2)

    def step(parameters, _):
        loss, grads = jax.value_and_grad(loss_of)(parameters)
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, grads), loss

    @jax.jit
    def train(parameters):
        return jax.lax.scan(step, parameters, length=protocol.EX1_STEPS)

    def run(chunks):
        for _ in range(chunks):
            _, losses = train((jnp.float32(0.3), jnp.float32(-0.3)))
        losses.block_until_ready()
        return chunks * protocol.EX1_STEPS, float(losses[100])

    return run


def perceptron_parameters():
    one, two = jax.random.split(jax.random.key(0))
    hidden = jax.random.normal(one, (784, 512)) * (2 / 784) ** 0.5
    limit = (6 / 522) ** 0.5
    output = jax.random.uniform(two, (512, 10), minval=-limit, maxval=limit)
    return hidden, jnp.zeros(512), output, jnp.zeros(10)


def perceptron_logits(parameters, inputs):
    hidden, hidden_bias, output, output_bias = parameters
    return jax.nn.relu(inputs @ hidden + hidden_bias) @ output + output_bias


def cnn_parameters():
    shapes = [(5, 5, 1, 32), (5, 5, 32, 64), (3136, 1024), (1024, 10)]
    keys = jax.random.split(jax.random.key(0), len(shapes))
    cut = lambda key, shape: 0.1 * jax.random.truncated_normal(key, -2, 2, shape)
    return [(cut(key, shape), jnp.full(shape[-1], 0.1)) for key, shape in zip(keys, shapes)]


def cnn_logits(parameters, inputs, key=None):
    """Without a key nothing is dropped."""
    if spec.get("precision") == "bfloat16":
        parameters, inputs = jax.tree.map(lambda x: x.astype(jnp.bfloat16), (parameters, inputs))
    first, second, hidden, output = parameters

    def convolved(x, layer):
        weight, bias = layer
        y = jax.lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        window = (1, 2, 2, 1)
        return jax.lax.reduce_window(jax.nn.relu(y + bias), -jnp.inf, jax.lax.max, window, window, "VALID")

    x = convolved(convolved(inputs.reshape(-1, 28, 28, 1), first), second)
    x = jax.nn.relu(x.reshape(len(x), -1) @ hidden[0] + hidden[1])
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), 2 * x, 0)
    return (x @ output[0] + output[1]).astype(jnp.float32)


def softmax_parameters():
    return jnp.zeros((784, 10)), jnp.zeros(10)


def softmax_logits(parameters, inputs):
    weight, bias = parameters
    return inputs @ weight + bias


def split_of(name):
    images, labels = protocol.mnist_split(spec["data"], name)
    return jnp.array(images), jnp.array(labels, dtype=jnp.int32)


def cross_entropy(logits, targets):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], axis=1))


def epoch_of(logits, optimizer):
    """What trains one epoch in one call: (parameters, slots) and a key to the next ones and the losses."""
    images, labels = split_of("train")

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, key):
        def step(state, indices):
            parameters, slots = state
            inputs, targets = images[indices], labels[indices]
            drop = jax.random.fold_in(key, indices[0])
            given = lambda p: logits(p, inputs, drop) if logits is cnn_logits else logits(p, inputs)
            loss, grads = jax.value_and_grad(lambda p: cross_entropy(given(p), targets))(parameters)
            updates, slots = optimizer.update(grads, slots, parameters)
            return (optax.apply_updates(parameters, updates), slots), loss

        order = jax.random.permutation(key, len(images)).reshape(-1, spec["batch"])
        return jax.lax.scan(step, state, order[: spec.get("chunkSteps")])

    return epoch


def runner(epoch, state):
    """Trains so many epochs in a call, each in an order of its own; tells their steps and the mean loss of the last."""
    key = jax.random.key(1)

    def run(chunks):
        nonlocal state, key
        for _ in range(chunks):
            key, use = jax.random.split(key)
            state, losses = epoch(state, use)
        losses.block_until_ready()
        return chunks * losses.size, float(losses.mean())

    return run


def classifier(parameters, logits):
    optimizer = optimizer_of(spec["optimizer"], spec["settings"])
    state = (parameters, optimizer.init(parameters))
    return runner(epoch_of(logits, optimizer), state)


def exercise3():
    """Each call trains anew: an evaluation on the validation split after every epoch, on the test split at the end."""
    validation, test = split_of("validation"), split_of("test")
    optimizer = optimizer_of(spec["optimizer"], spec["settings"])
    epoch = epoch_of(cnn_logits, optimizer)

    @jax.jit
    def start():
        parameters = cnn_parameters()
        return parameters, optimizer.init(parameters)

    @jax.jit
    def evaluation(parameters, split):
        logits = cnn_logits(parameters, split[0])
        return cross_entropy(logits, split[1]), (logits.argmax(-1) == split[1]).mean()

    def run(epochs):
        state = start()
        for i in range(epochs):
            state, losses = epoch(state, jax.random.key(i))
            jax.device_get((losses, evaluation(state[0], validation)))
        _, accuracy = evaluation(state[0], test)
        return epochs * len(losses), float(losses.mean()), float(accuracy)

    return run


def cnn_lanes():
    """So many networks side by side that differ in the learning rate, one batch for all."""
    images, labels = split_of("train")
    lanes = spec["lanes"]
    rates = spec["settings"]["lr"] * (1 + jnp.arange(lanes) / lanes)
    adam = optax.scale_by_adam()
    parameters = jax.tree.map(lambda p: jnp.tile(p, (lanes, *[1] * p.ndim)), cnn_parameters())
    state = (parameters, jax.vmap(adam.init)(parameters))

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, key):
        def step(state, indices):
            inputs, targets = images[indices], labels[indices]
            drops = jax.random.split(jax.random.fold_in(key, indices[0]), lanes)

            def of_lane(parameters, slots, rate, drop):
                loss, grads = jax.value_and_grad(lambda p: cross_entropy(cnn_logits(p, inputs, drop), targets))(
                    parameters
                )
                updates, slots = adam.update(grads, slots, parameters)
                return jax.tree.map(lambda p, u: p - rate * u, parameters, updates), slots, loss

            parameters, slots, loss = jax.vmap(of_lane)(*state, rates, drops)
            return (parameters, slots), loss

        order = jax.random.permutation(key, len(images)).reshape(-1, spec["batch"])
        return jax.lax.scan(step, state, order[: spec.get("chunkSteps")])

    return runner(epoch, state)


def grid_vmapped():
    images, labels = split_of("train")
    splits = [split_of(name) for name in ("validation", "test")]
    groups = [
        (
            group["optimizer"],
            {name: jnp.array([lane[name] for lane in group["lanes"]]) for name in group["lanes"][0]},
            len(group["lanes"]),
        )
        for group in spec["grid"]
    ]

    def loss_of(parameters, inputs, targets):
        return cross_entropy(softmax_logits(parameters, inputs), targets)

    gradients = jax.vmap(jax.value_and_grad(loss_of), in_axes=((0, 0), None, None))

    def update(optimizer, hyper, parameters, slots, grads, step):
        tree = jax.tree.map
        wide = lambda name, p: hyper[name].reshape(-1, *[1] * (p.ndim - 1))
        if optimizer == "sgd":
            return tree(lambda p, g: p - wide("lr", p) * g, parameters, grads), slots
        if optimizer == "momentum":
            velocity = tree(lambda v, g: wide("momentum", v) * v + g, slots, grads)
            return tree(lambda p, v: p - wide("lr", p) * v, parameters, velocity), velocity
        first = tree(lambda m, g: 0.9 * m + 0.1 * g, slots[0], grads)
        second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, slots[1], grads)
        moved = tree(
            lambda p, m, v: p
            - wide("lr", p) * (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.999**step)) + 1e-8),
            parameters,
            first,
            second,
        )
        return moved, (first, second)

    def evaluation(parameters):
        def one(split):
            logits = jax.vmap(lambda p: softmax_logits(p, split[0]))(parameters)
            return (
                jax.vmap(lambda l: cross_entropy(l, split[1]))(logits),
                (logits.argmax(-1) == split[1]).mean(-1),
            )

        return [one(split) for split in splits]

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, key, first_step):
        def step(carry, indices):
            number, states = carry
            inputs, targets = images[indices], labels[indices]
            result, losses = [], []
            for (optimizer, hyper, _), (parameters, slots) in zip(groups, states):
                loss, grads = gradients(parameters, inputs, targets)
                result.append(update(optimizer, hyper, parameters, slots, grads, number))
                losses.append(loss)
            return (number + 1, result), losses

        order = jax.random.permutation(key, len(images)).reshape(-1, spec["batch"])
        (_, state), losses = jax.lax.scan(step, (first_step, state), order)
        return state, losses, [evaluation(parameters) for parameters, _ in state]

    def fresh(optimizer, lanes):
        zeros = lambda: (jnp.zeros((lanes, 784, 10)), jnp.zeros((lanes, 10)))
        slots = {"sgd": lambda: (), "momentum": zeros, "adam": lambda: (zeros(), zeros())}[optimizer]()
        return zeros(), slots

    def run(epochs):
        per_epoch = len(images) // spec["batch"]
        for seed in range(spec["seeds"]):
            state = [fresh(optimizer, lanes) for optimizer, _, lanes in groups]
            for i in range(epochs):
                key = jax.random.key(seed * 1000 + i)
                state, losses, metrics = epoch(state, key, jnp.float32(1 + i * per_epoch))
                jax.device_get((losses, metrics))
        lanes = sum(lanes for _, _, lanes in groups)
        return lanes * per_epoch * epochs * spec["seeds"], float(losses[-1][:, -1].mean())

    return run


workloads = {
    "quadratic": lambda: quadratic(),
    "softmax": lambda: classifier(softmax_parameters(), softmax_logits),
    "perceptron": lambda: classifier(perceptron_parameters(), perceptron_logits),
    "cnn": lambda: cnn_lanes() if spec["form"] == "vmap" else classifier(cnn_parameters(), cnn_logits),
    "exercise3": lambda: exercise3(),
    "grid": lambda: grid_vmapped(),
}
protocol.serve(f"JAX {jax.__version__}", spec["form"], spec["threads"], workloads[spec["workload"]]())
