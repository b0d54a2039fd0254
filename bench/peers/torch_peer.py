"""
PyTorch: exercise 1, softmax regression, the perceptron, the CNN of exercise 3, alone or many side by side, exercise 3
from start to end, the grid of exercise 2. On the CPU, or where the specification says so on a GPU.

Forms, some of which go together: "eager"; "channels-last" (the CNN in that memory format); "compiled" (torch.compile over
the whole step, optimizer included); "graphs" (the step captured as a CUDA graph, batch and losses on the device); "vmap"
(torch.func over all lanes). All but "eager" have the CNN channels last. With precision bfloat16 the forward pass is
autocast. Optimizers are the fused ones. Data are float32 in memory and shuffled every epoch; losses are kept as tensors
and looked at once at the end.
"""
import os

import protocol

spec = protocol.specification()
os.environ["OMP_NUM_THREADS"] = str(spec["threads"])
try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    protocol.absent(error)

torch.set_num_threads(spec["threads"])
torch.manual_seed(0)
device = spec.get("device", "cpu")
if device == "cuda":
    if not torch.cuda.is_available():
        protocol.absent("this PyTorch finds no GPU")
    fast = spec.get("precision") == "tf32"
    torch.set_float32_matmul_precision("high" if fast else "highest")
    torch.backends.cudnn.allow_tf32 = fast
    torch.backends.cudnn.benchmark = True
captures = "graphs" in spec["form"]


def autocast():
    # A cast that is remembered from outside of a capture would be no part of the graph.
    asked = spec.get("precision") == "bfloat16"
    return torch.autocast(device, torch.bfloat16, enabled=asked, cache_enabled=not captures)


def optimizer_of(name, parameters, settings):
    if name == "adam":
        return torch.optim.Adam(parameters, lr=settings["lr"], fused=True, capturable=captures)
    return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings.get("momentum", 0.0), fused=True)


def compiled_if_asked(step):
    return torch.compile(step) if "compiled" in spec["form"] else step


def epoch_of(step, count):
    """
    What takes an order (count, batch), runs `step` for each of its batches and gives the losses; as graphs one replay
    is a step, and the host gives the device nothing else.
    """
    if not captures:
        return lambda order: torch.stack([step(indices) for indices in order])
    planned = torch.zeros(count, spec["batch"], dtype=torch.int64, device=device)
    position = torch.zeros(1, dtype=torch.int64, device=device)
    losses = None

    def one():
        nonlocal losses
        loss = step(planned.index_select(0, position).squeeze(0))
        if losses is None:
            losses = torch.zeros(count, *loss.shape, device=device)
        losses.index_copy_(0, position, loss.unsqueeze(0))
        position.add_(1)

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            one()
            position.zero_()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        one()

    def run(order):
        planned.copy_(order)
        position.zero_()
        for _ in range(count):
            graph.replay()
        return losses.clone()

    return run


def split_of(name):
    images, labels = protocol.mnist_split(spec["data"], name)
    return torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)


def order_of(count, steps):
    """A new order of the examples, as rows of batches: of all, or of the first so many."""
    return torch.randperm(count, device=device)[: steps * spec["batch"]].view(steps, spec["batch"])


def quadratic():
    x = torch.tensor(protocol.EX1_INPUTS)
    y = torch.tensor(protocol.EX1_TARGETS)
    W = torch.tensor(0.3, requires_grad=True)
    b = torch.tensor(-0.3, requires_grad=True)
    optimizer = torch.optim.SGD([W, b], lr=0.01)

    def step():
        loss = ((W * x + b - y) ** 2).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    step = compiled_if_asked(step)

    def run(chunks):
        for _ in range(chunks):
            with torch.no_grad():
                W.fill_(0.3)
                b.fill_(-0.3)
            losses = [step() for _ in range(protocol.EX1_STEPS)]
        return chunks * protocol.EX1_STEPS, float(torch.stack(losses)[100])

    return run


def perceptron_parameters():
    hidden = torch.randn(784, 512) * (2 / 784) ** 0.5
    limit = (6 / 522) ** 0.5
    output = torch.rand(512, 10) * 2 * limit - limit
    return [p.requires_grad_() for p in (hidden, torch.zeros(512), output, torch.zeros(10))]


def perceptron_logits(parameters, inputs):
    hidden, hidden_bias, output, output_bias = parameters
    return torch.addmm(output_bias, torch.relu(torch.addmm(hidden_bias, inputs, hidden)), output)


def cnn_parameters():
    def cut(*shape):
        return torch.nn.init.trunc_normal_(torch.empty(*shape, device=device), std=0.1, a=-0.2, b=0.2)

    shapes = [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 3136), (10, 1024)]
    layout = torch.contiguous_format if spec["form"] == "eager" else torch.channels_last
    weights = [cut(*s).to(memory_format=layout) if len(s) == 4 else cut(*s) for s in shapes]
    return [p.requires_grad_() for w in weights for p in (w, torch.full((w.shape[0],), 0.1, device=device))]


def cnn_logits(parameters, inputs, training=True):
    first, first_bias, second, second_bias, hidden, hidden_bias, output, output_bias = parameters
    # With one channel both memory formats are the same bytes.
    x = inputs.view(-1, 28, 28, 1).permute(0, 3, 1, 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, first, first_bias, padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, second, second_bias, padding=2)), 2)
    x = F.dropout(F.relu(F.linear(x.flatten(1), hidden, hidden_bias)), 0.5, training)
    return F.linear(x, output, output_bias)


def softmax_parameters():
    return [torch.zeros(*shape, device=device, requires_grad=True) for shape in [(784, 10), (10,)]]


def softmax_logits(parameters, inputs):
    weight, bias = parameters
    return torch.addmm(bias, inputs, weight)


def training_step(parameters, logits, optimizer, images, labels):
    def step(indices):
        inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
        with autocast():
            loss = F.cross_entropy(logits(parameters, inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return compiled_if_asked(step)


def classifier(parameters, logits):
    images, labels = split_of("train")
    optimizer = optimizer_of(spec["optimizer"], parameters, spec["settings"])
    count = spec.get("chunkSteps", len(images) // spec["batch"])
    epoch = epoch_of(training_step(parameters, logits, optimizer, images, labels), count)

    def run(chunks):
        losses = [epoch(order_of(len(images), count)) for _ in range(chunks)]
        return chunks * count, float(torch.cat(losses).mean())

    return run


def exercise3():
    """Each call trains anew: an evaluation on the validation split after every epoch, on the test split at the end."""
    images, labels = split_of("train")
    validation, test = split_of("validation"), split_of("test")
    parameters = cnn_parameters()
    optimizer = optimizer_of(spec["optimizer"], parameters, spec["settings"])
    count = spec.get("chunkSteps", len(images) // spec["batch"])
    epoch = epoch_of(training_step(parameters, cnn_logits, optimizer, images, labels), count)

    def trained(inputs):
        with autocast():
            return cnn_logits(parameters, inputs, training=False)

    def run(epochs):
        with torch.no_grad():
            for parameter, fresh in zip(parameters, cnn_parameters()):
                parameter.copy_(fresh)
            for slots in optimizer.state.values():
                for slot in slots.values():
                    slot.zero_()
        for _ in range(epochs):
            losses = epoch(order_of(len(images), count))
            mean, *_ = float(losses.mean()), *map(float, evaluate(trained, [validation]))
        _, accuracy = map(float, evaluate(trained, [test]))
        return epochs * count, mean, accuracy

    return run


def lane_column(values, parameter):
    """One value for each lane, shaped to go with a parameter of all lanes."""
    return torch.as_tensor(values, device=device).reshape(-1, *[1] * (parameter.dim() - 1))


def adam_in_lanes(lr, parameter, slots, gradient, number):
    first, second = slots
    first.lerp_(gradient, 0.1)
    second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    denominator = (second / (1 - 0.999**number)).sqrt_().add_(1e-8)
    parameter.sub_(lr / (1 - 0.9**number) * first / denominator)


def cnn_lanes():
    """So many networks side by side, one batch for all: torch.func.vmap over parameters."""
    images, labels = split_of("train")
    lanes = spec["lanes"]
    count = spec.get("chunkSteps", len(images) // spec["batch"])
    parameters = [p.detach().expand(lanes, *p.shape).clone() for p in cnn_parameters()]
    slots = [[torch.zeros_like(p) for _ in range(2)] for p in parameters]
    number = torch.zeros((), device=device)
    rates = spec["settings"]["lr"] * (1 + torch.arange(lanes, device=device) / lanes)
    columns = [lane_column(rates, p) for p in parameters]

    def loss_of(parameters, inputs, targets):
        with autocast():
            return F.cross_entropy(cnn_logits(parameters, inputs), targets)

    gradients = torch.func.vmap(
        torch.func.grad_and_value(loss_of), in_dims=(0, None, None), randomness="different"
    )

    def step(indices):
        inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
        grads, losses = gradients(tuple(parameters), inputs, targets)
        number.add_(1)
        for column, parameter, own, gradient in zip(columns, parameters, slots, grads):
            adam_in_lanes(column, parameter, own, gradient, number)
        return losses

    epoch = epoch_of(compiled_if_asked(step), count)

    def run(chunks):
        losses = [epoch(order_of(len(images), count)) for _ in range(chunks)]
        return chunks * count * lanes, float(torch.cat(losses).mean())

    return run


def evaluate(logits_of, splits):
    """Losses and accuracies of the evaluated splits."""
    with torch.no_grad():
        for images, labels in splits:
            logits = logits_of(images)
            yield F.cross_entropy(logits, labels)
            yield (logits.argmax(1) == labels).float().mean()


def grid_one_by_one():
    images, labels = split_of("train")
    splits = [split_of(name) for name in ("validation", "test")]

    def train(name, settings, seed, epochs):
        torch.manual_seed(seed)
        parameters = softmax_parameters()
        optimizer = optimizer_of(name, parameters, settings)

        def step(indices):
            inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
            loss = F.cross_entropy(softmax_logits(parameters, inputs), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            return loss.detach()

        for _ in range(epochs):
            losses = [step(indices) for indices in torch.randperm(len(images), device=device).split(spec["batch"])]
            metrics = [float(m) for m in evaluate(lambda x: softmax_logits(parameters, x), splits)]
            mean = float(torch.stack(losses).mean())
        return len(losses) * epochs, mean, metrics

    def run(epochs):
        steps, check = 0, None
        for group in spec["grid"]:
            for settings in group["lanes"]:
                for seed in range(spec["seeds"]):
                    done, mean, _ = train(group["optimizer"], settings, seed, epochs)
                    steps += done
                    check = mean
        return steps, check

    return run


def grid_vmapped():
    """All lanes of a seed side by side: torch.func.vmap over parameters, one batch for all."""
    images, labels = split_of("train")
    splits = [split_of(name) for name in ("validation", "test")]

    def loss_of(parameters, inputs, targets):
        weight, bias = parameters
        return F.cross_entropy(inputs @ weight + bias, targets)

    gradients = torch.func.vmap(torch.func.grad_and_value(loss_of), in_dims=((0, 0), None, None))

    def column(group, name, parameter):
        return lane_column([lane[name] for lane in group["lanes"]], parameter)

    states = []
    for group in spec["grid"]:
        lanes = len(group["lanes"])
        fresh = lambda: [torch.zeros(lanes, 784, 10, device=device), torch.zeros(lanes, 10, device=device)]
        parameters = fresh()
        columns = [
            {name: column(group, name, p) for name in group["lanes"][0]} for p in parameters
        ]
        states.append((group["optimizer"], columns, parameters, [fresh(), fresh()]))
    number = torch.zeros((), device=device)

    def update(optimizer, hyper, parameter, slots, gradient):
        if optimizer == "sgd":
            parameter.sub_(hyper["lr"] * gradient)
        elif optimizer == "momentum":
            slots[0].mul_(hyper["momentum"]).add_(gradient)
            parameter.sub_(hyper["lr"] * slots[0])
        else:
            adam_in_lanes(hyper["lr"], parameter, slots, gradient, number)

    def step(indices):
        number.add_(1)
        inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
        losses = []
        for optimizer, columns, parameters, slots in states:
            grads, values = gradients(tuple(parameters), inputs, targets)
            for i, parameter in enumerate(parameters):
                update(optimizer, columns[i], parameter, [slot[i] for slot in slots], grads[i])
            losses.append(values)
        return torch.cat(losses)

    count = len(images) // spec["batch"]
    epoch = epoch_of(compiled_if_asked(step), count)

    def run(epochs):
        for seed in range(spec["seeds"]):
            torch.manual_seed(seed)
            number.zero_()
            for _, _, parameters, slots in states:
                for tensor in [*parameters, *slots[0], *slots[1]]:
                    tensor.zero_()
            for _ in range(epochs):
                losses = epoch(order_of(len(images), count))
                for _, _, (weight, bias), _ in states:
                    list(map(float, (m for w, b in zip(weight, bias) for m in evaluate(lambda x: x @ w + b, splits))))
        return losses.shape[1] * count * epochs * spec["seeds"], float(losses[:, -1].mean())

    return run


workloads = {
    "quadratic": lambda: quadratic(),
    "softmax": lambda: classifier(softmax_parameters(), softmax_logits),
    "perceptron": lambda: classifier(perceptron_parameters(), perceptron_logits),
    "cnn": lambda: cnn_lanes() if "vmap" in spec["form"] else classifier(cnn_parameters(), cnn_logits),
    "exercise3": lambda: exercise3(),
    "grid": lambda: grid_vmapped() if "vmap" in spec["form"] else grid_one_by_one(),
}
protocol.serve(f"PyTorch {torch.__version__}", spec["form"], spec["threads"], workloads[spec["workload"]]())
