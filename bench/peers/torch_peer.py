"""
PyTorch: exercise 1, softmax regression, the perceptron, the CNN of exercise 3, the grid of exercise 2.

Forms: "eager"; "channels-last" (the CNN in that memory format); "compiled" (torch.compile over the whole step, optimizer
included; the CNN channels last); "vmap" (the grid: torch.func
over all lanes of a seed). With precision bfloat16 the forward pass is autocast. Optimizers are the fused ones. Data are float32 in memory and shuffled every epoch; losses are
kept as tensors and looked at once at the end.
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


def optimizer_of(name, parameters, settings):
    if name == "adam":
        return torch.optim.Adam(parameters, lr=settings["lr"], fused=True)
    return torch.optim.SGD(parameters, lr=settings["lr"], momentum=settings.get("momentum", 0.0), fused=True)


def compiled_if_asked(step):
    return torch.compile(step) if spec["form"] == "compiled" else step


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
        return torch.nn.init.trunc_normal_(torch.empty(*shape), std=0.1, a=-0.2, b=0.2)

    shapes = [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 3136), (10, 1024)]
    layout = torch.contiguous_format if spec["form"] == "eager" else torch.channels_last
    weights = [cut(*s).to(memory_format=layout) if len(s) == 4 else cut(*s) for s in shapes]
    return [p.requires_grad_() for w in weights for p in (w, torch.full((w.shape[0],), 0.1))]


def cnn_logits(parameters, inputs):
    first, first_bias, second, second_bias, hidden, hidden_bias, output, output_bias = parameters
    # With one channel both memory formats are the same bytes.
    x = inputs.view(-1, 28, 28, 1).permute(0, 3, 1, 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, first, first_bias, padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, second, second_bias, padding=2)), 2)
    x = F.dropout(F.relu(F.linear(x.flatten(1), hidden, hidden_bias)), 0.5)
    return F.linear(x, output, output_bias)


def softmax_parameters():
    return [torch.zeros(784, 10, requires_grad=True), torch.zeros(10, requires_grad=True)]


def softmax_logits(parameters, inputs):
    weight, bias = parameters
    return torch.addmm(bias, inputs, weight)


def classifier(parameters, logits):
    images, labels = (torch.from_numpy(a) for a in protocol.mnist_split(spec["data"], "train"))
    optimizer = optimizer_of(spec["optimizer"], parameters, spec["settings"])

    def step(indices):
        inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
        with torch.autocast("cpu", torch.bfloat16, enabled=spec.get("precision") == "bfloat16"):
            loss = F.cross_entropy(logits(parameters, inputs), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    step = compiled_if_asked(step)

    def run(chunks):
        losses = []
        for _ in range(chunks):
            batches = torch.randperm(len(images)).split(spec["batch"])
            losses += [step(indices) for indices in batches[: spec.get("chunkSteps")]]
        return len(losses), float(torch.stack(losses).mean())

    return run


def evaluate(logits_of, splits):
    """Losses and accuracies of the evaluated splits."""
    with torch.no_grad():
        for images, labels in splits:
            logits = logits_of(images)
            yield F.cross_entropy(logits, labels)
            yield (logits.argmax(1) == labels).float().mean()


def grid_one_by_one():
    images, labels = (torch.from_numpy(a) for a in protocol.mnist_split(spec["data"], "train"))
    splits = [[torch.from_numpy(a) for a in protocol.mnist_split(spec["data"], s)] for s in ("validation", "test")]

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
            losses = [step(indices) for indices in torch.randperm(len(images)).split(spec["batch"])]
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
    images, labels = (torch.from_numpy(a) for a in protocol.mnist_split(spec["data"], "train"))
    splits = [[torch.from_numpy(a) for a in protocol.mnist_split(spec["data"], s)] for s in ("validation", "test")]

    def loss_of(parameters, inputs, targets):
        weight, bias = parameters
        return F.cross_entropy(inputs @ weight + bias, targets)

    gradients = torch.func.vmap(torch.func.grad_and_value(loss_of), in_dims=((0, 0), None, None))

    def column(group, name):
        return torch.tensor([lane[name] for lane in group["lanes"]])

    def update(group, parameters, slots, grads, step):
        lr = column(group, "lr")
        for i, (p, g) in enumerate(zip(parameters, grads)):
            rate = lr.reshape(-1, *[1] * (p.dim() - 1))
            if group["optimizer"] == "sgd":
                p.sub_(rate * g)
            elif group["optimizer"] == "momentum":
                factor = column(group, "momentum").reshape(-1, *[1] * (p.dim() - 1))
                slots[0][i].mul_(factor).add_(g)
                p.sub_(rate * slots[0][i])
            else:
                slots[0][i].lerp_(g, 0.1)
                slots[1][i].mul_(0.999).addcmul_(g, g, value=0.001)
                denominator = (slots[1][i] / (1 - 0.999**step)).sqrt_().add_(1e-8)
                p.sub_(rate / (1 - 0.9**step) * slots[0][i] / denominator)

    def run(epochs):
        steps, check = 0, None
        for seed in range(spec["seeds"]):
            torch.manual_seed(seed)
            states = []
            for group in spec["grid"]:
                lanes = len(group["lanes"])
                fresh = lambda: [torch.zeros(lanes, 784, 10), torch.zeros(lanes, 10)]
                states.append((group, fresh(), [fresh(), fresh()]))
            number = 0
            for _ in range(epochs):
                losses = []
                for indices in torch.randperm(len(images)).split(spec["batch"]):
                    number += 1
                    inputs, targets = images.index_select(0, indices), labels.index_select(0, indices)
                    for group, parameters, slots in states:
                        grads, values = gradients(tuple(parameters), inputs, targets)
                        update(group, parameters, slots, grads, number)
                        losses.append(values)
                        steps += len(group["lanes"])
                for _, (weight, bias), _ in states:
                    list(map(float, (m for w, b in zip(weight, bias) for m in evaluate(lambda x: x @ w + b, splits))))
                check = float(torch.stack(losses[len(states) - 1 :: len(states)])[:, -1].mean())
        return steps, check

    return run


workloads = {
    "quadratic": lambda: quadratic(),
    "softmax": lambda: classifier(softmax_parameters(), softmax_logits),
    "perceptron": lambda: classifier(perceptron_parameters(), perceptron_logits),
    "cnn": lambda: classifier(cnn_parameters(), cnn_logits),
    "grid": lambda: grid_vmapped() if spec["form"] == "vmap" else grid_one_by_one(),
}
protocol.serve(f"PyTorch {torch.__version__}", spec["form"], spec["threads"], workloads[spec["workload"]]())
