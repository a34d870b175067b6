"""Writes silo.json: objectives, derivatives and whole rounds of the silo-level defences by autograd. See README.md."""

import json
import pathlib

import autograd.numpy as np
from autograd import grad, value_and_grad
from autograd.scipy.special import logsumexp

rng = np.random.RandomState(20260724)


def f32(x):
    return np.float32(x).astype(np.float64)


def log_softmax(z):
    return z - logsumexp(z, axis=1, keepdims=True)


def flat(x):
    return np.asarray(x, dtype=np.float64).ravel().tolist()


# --- objectives of logits -------------------------------------------------------------------------------------------------


def pull(z, others, weight):
    """MIST: weight / (K - 1) * sum over the others of the mean L1 distance."""
    p = np.exp(log_softmax(z))
    return weight / len(others) * sum(np.mean(np.sum(np.abs(p - other), axis=1)) for other in others)


def distil(z, targets, temperature):
    logs = log_softmax(z / temperature)
    kl = np.sum(np.where(targets > 0, targets * (np.log(np.where(targets > 0, targets, 1.0)) - logs), 0.0), axis=1)
    return temperature**2 * np.mean(kl)


def attack_logits(network, p, onehot):
    """[answer, label] -> relu -> logit of membership."""
    w1, b1, w2, b2 = network
    hidden = np.maximum(np.dot(np.concatenate([p, onehot], axis=1), w1) + b1, 0.0)
    return (np.dot(hidden, w2) + b2)[:, 0]


def log_sigmoid(s):
    return -np.logaddexp(0.0, -s)


def adversarial(z, onehot, network, weight):
    """Nasr et al. 2018, Algorithm 1: mean of CE + weight * log h(p, y)."""
    logs = log_softmax(z)
    loss = -np.sum(onehot * logs, axis=1)
    return np.mean(loss + weight * log_sigmoid(attack_logits(network, np.exp(logs), onehot)))


def gain(network, members, others):
    inside = np.mean(log_sigmoid(attack_logits(network, *members)))
    outside = np.mean(log_sigmoid(-attack_logits(network, *others)))
    return 0.5 * (inside + outside)


def answers(records, classes):
    z = f32(rng.uniform(-3, 3, (records, classes)))
    return f32(np.exp(log_softmax(z)))


def a_network(classes, units):
    return [
        f32(rng.normal(size=(2 * classes, units))),
        f32(rng.normal(size=units)),
        f32(rng.normal(size=(units, 1))),
        f32(rng.normal(size=1)),
    ]


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def discrepancy(p, bandwidth):
    """Squared MMD between both halves of the rows: Gaussian kernel, the biased estimate."""
    half = len(p) // 2
    a, b = p[:half], p[half:]

    def mean_kernel(x, y):
        gaps = np.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=2)
        return np.mean(np.exp(-gaps / (2 * bandwidth**2)))

    return mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)


def alignment_case(classes, half, bandwidth):
    z = f32(rng.uniform(-3, 3, (2 * half, classes)))
    labels = rng.randint(classes, size=half)

    def objective(x):
        logs = log_softmax(x)
        loss = -np.mean(np.sum(one_hot(labels, classes) * logs[:half], axis=1))
        return loss + 1.7 * discrepancy(np.exp(logs), bandwidth)

    value, slope = value_and_grad(objective)(z)
    case = {"classes": classes, "logits": flat(z), "labels": labels.tolist(), "weight": 1.7, "bandwidth": bandwidth}
    return {**case, "loss": float(value), "gradient": flat(slope)}


def objective_case(kind, classes, records):
    z = f32(rng.uniform(-3, 3, (records, classes)))
    labels = rng.randint(classes, size=records)
    case = {"kind": kind, "classes": classes, "logits": flat(z), "labels": labels.tolist()}
    if kind == "pull":
        others = [answers(records, classes) for _ in range(3)]
        case |= {"weight": 0.7, "others": [flat(other) for other in others]}
        value, slope = value_and_grad(lambda x: pull(x, others, 0.7))(z)
    elif kind == "distillation":
        targets = answers(records, classes)
        temperature = 1.0 if records % 2 == 0 else 3.5
        case |= {"temperature": temperature, "targets": flat(targets)}
        value, slope = value_and_grad(lambda x: distil(x, targets, temperature))(z)
    else:
        network = a_network(classes, 5)
        case |= {"weight": 1.3, "units": 5, "network": sum((flat(part) for part in network), [])}
        value, slope = value_and_grad(lambda x: adversarial(x, one_hot(labels, classes), network, 1.3))(z)
    return {**case, "loss": float(value), "gradient": flat(slope)}


def attack_case(classes, members, others):
    network = a_network(classes, 4)
    sides = []
    for records in (members, others):
        labels = rng.randint(classes, size=records)
        sides.append((answers(records, classes), labels))
    pairs = [(p, one_hot(labels, classes)) for p, labels in sides]
    slope = grad(lambda n: gain(n, *pairs))(network)
    rate = 0.8
    moved = [part + rate * up for part, up in zip(network, slope)]
    return {
        "classes": classes,
        "units": 4,
        "learningRate": rate,
        "network": sum((flat(part) for part in network), []),
        "members": {"answers": flat(sides[0][0]), "labels": sides[0][1].tolist()},
        "others": {"answers": flat(sides[1][0]), "labels": sides[1][1].tolist()},
        "moved": sum((flat(part) for part in moved), []),
    }


# --- whole rounds: full batches, so that nothing is random ------------------------------------------------------------------


class Model:
    """A hidden tanh layer; one logit z stands for the pair (0, z)."""

    def __init__(self, inputs, units, outputs):
        self.shapes = [(inputs, units), (units,), (units, outputs), (outputs,)]
        self.single = outputs == 1

    def parts(self, parameters):
        parts, at = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            parts.append(parameters[at : at + size].reshape(shape))
            at += size
        return parts

    def representations(self, parameters, x):
        kernel, bias, _, _ = self.parts(parameters)
        return np.tanh(np.dot(x, kernel) + bias)

    def logits(self, parameters, x):
        _, _, kernel, bias = self.parts(parameters)
        z = np.dot(self.representations(parameters, x), kernel) + bias
        return np.concatenate([np.zeros_like(z), z], axis=1) if self.single else z

    def answers(self, parameters, x, temperature=1.0):
        return np.exp(log_softmax(self.logits(parameters, x) / temperature))

    @property
    def size(self):
        return sum(int(np.prod(shape)) for shape in self.shapes)


def spec_of(inputs, units, outputs):
    return {
        "inputShape": [inputs],
        "layers": [{"type": "dense", "units": units, "activation": "tanh"}],
        "output": {"type": "sigmoid"} if outputs == 1 else {"type": "softmax", "classes": outputs},
    }


def descend(objective, parameters, steps, rate, l2):
    slope = grad(lambda w: objective(w) + 0.5 * l2 * np.sum(w**2))
    for _ in range(steps):
        parameters = parameters - rate * slope(parameters)
    return parameters


def whole_rounds(outputs):
    inputs, units, records, classes = 4, 3, 9, max(2, outputs)
    model = Model(inputs, units, outputs)
    rate, l2, epochs = 0.4, 0.02, 3
    received = f32(rng.normal(size=model.size) * 0.7)
    x, y = f32(rng.normal(size=(records, inputs))), rng.randint(classes, size=records)
    public = f32(rng.normal(size=(5, inputs)))
    case = {
        "spec": spec_of(inputs, units, outputs),
        "learningRate": rate,
        "l2": l2,
        "epochs": epochs,
        "parameters": flat(received),
        "features": flat(x),
        "labels": y.tolist(),
        "publicFeatures": flat(public),
    }

    def cross_entropy(w, rows):
        return -np.mean(np.sum(one_hot(y[rows], classes) * log_softmax(model.logits(w, x[rows])), axis=1))

    def on_labels(start, rows):
        return descend(lambda w: cross_entropy(w, rows), start, epochs, rate, l2)

    def student(features, targets, temperature):
        return descend(lambda w: distil(model.logits(w, features), targets, temperature), received, epochs, rate, l2)

    everyone = np.arange(records)
    case["pooled"] = flat(on_labels(received, everyone))

    # MIST: three groups, weight 0.6, two passes that pull.
    groups = [[0, 4, 7], [1, 2, 8, 5], [3, 6]]
    submodels = [on_labels(received, rows) for rows in groups]
    pulled = []
    for own, rows in enumerate(groups):
        others = [model.answers(w, x[rows]) for k, w in enumerate(submodels) if k != own]
        pulled.append(descend(lambda w: pull(model.logits(w, x[rows]), others, 0.6), submodels[own], 2, rate, l2))
    case["mist"] = {"rows": groups, "weight": 0.6, "pullEpochs": 2, "parameters": flat(sum(pulled) / len(pulled))}

    # SELENA: one record a user, four submodels, each record a non-member of two.
    apart = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3], [0, 1], [1, 2], [2, 3]]
    submodels = [on_labels(received, [r for r in everyone if k not in apart[r]]) for k in range(4)]
    targets = np.stack([sum(model.answers(submodels[k], x[r : r + 1])[0] for k in apart[r]) / 2 for r in everyone])
    trained = student(x, targets, 1.0)
    case["selena"] = {"apart": apart, "submodels": 4, "targets": flat(targets), "parameters": flat(trained)}

    # DMP: temperature 2, the three public records with least entropy.
    softened = model.answers(on_labels(received, everyone), public, 2.0)
    entropy = -np.sum(softened * np.log(softened), axis=1)
    kept = sorted(np.argsort(entropy)[:3].tolist())
    trained = student(public[kept], softened[kept], 2.0)
    case["distillation"] = {"temperature": 2.0, "keep": 0.6, "kept": kept, "parameters": flat(trained)}

    # DP-SGD on records: the clipped derivatives of one step, added up.
    own = [grad(lambda w: cross_entropy(w, [row]))(received) for row in everyone]
    norms = [float(np.sqrt(np.sum(slope**2))) for slope in own]
    clip = float(f32(np.median(norms) * 1.01))
    total = sum(slope * min(1.0, clip / norm) for slope, norm in zip(own, norms))
    case["clipped"] = {"clipNorm": clip, "norms": norms, "sum": flat(total)}
    return case


# --- alignment of representations --------------------------------------------------------------------------------------------


def median_distance(rows):
    """Over all pairs of different rows of both sets together, as Gretton et al. 2012 set a bandwidth."""
    one, other = np.triu_indices(len(rows), 1)
    return float(np.median(np.sqrt(np.sum((rows[one] - rows[other]) ** 2, axis=1))))


def discrepancy_case(width, half, bandwidth):
    rows = f32(rng.normal(size=(2 * half, width)) * 3 + np.repeat([[0.0], [2.0]], half, axis=0))
    used = median_distance(rows) if bandwidth == "median" else bandwidth
    value, slope = value_and_grad(lambda r: 2.3 * discrepancy(r, used))(rows)
    case = {"width": width, "rows": flat(rows), "weight": 2.3, "bandwidth": bandwidth}
    return {**case, "loss": float(value), "gradient": flat(slope)}


def representation_round(outputs, bandwidth):
    """One public record of each class, so that counterparts are not random."""
    inputs, units, records, classes, weight = 4, 3, 8, max(2, outputs), 1.6
    model = Model(inputs, units, outputs)
    rate, l2, epochs = 0.4, 0.02, 3
    received = f32(rng.normal(size=model.size) * 0.7)
    x, y = f32(rng.normal(size=(records, inputs))), rng.randint(classes, size=records)
    public = f32(rng.normal(size=(classes, inputs)) + 0.5)
    both = np.concatenate([x, public[y]])

    def objective(w, used):
        loss = -np.mean(np.sum(one_hot(y, classes) * log_softmax(model.logits(w, x)), axis=1))
        return loss + weight * discrepancy(model.representations(w, both), used)

    trained = received
    for _ in range(epochs):
        # Of the model before the step, and a constant to the derivative.
        used = median_distance(model.representations(trained, both)) if bandwidth == "median" else bandwidth
        trained = descend(lambda w: objective(w, used), trained, 1, rate, l2)
    case = {"spec": spec_of(inputs, units, outputs), "learningRate": rate, "l2": l2, "epochs": epochs}
    case |= {"parameters": flat(received), "features": flat(x), "labels": y.tolist()}
    case |= {"publicFeatures": flat(public), "weight": weight, "bandwidth": bandwidth}
    return {**case, "trained": flat(trained)}


content = {
    "objectives": [
        objective_case(kind, classes, records)
        for kind in ("pull", "distillation", "adversarial")
        for classes, records in ((2, 1), (2, 4), (3, 5), (10, 3))
    ],
    "attacks": [attack_case(2, 3, 5), attack_case(4, 6, 2)],
    "rounds": [whole_rounds(3), whole_rounds(1)],
    # Last, so that the cases above draw what they always did.
    "alignments": [alignment_case(*case) for case in ((2, 1, 0.5), (3, 4, 0.2), (10, 6, 1.3))],
    "discrepancies": [
        discrepancy_case(*case) for case in ((3, 4, 2.5), (1, 1, "median"), (3, 5, "median"), (12, 6, "median"))
    ],
    "representationRounds": [
        representation_round(outputs, bandwidth) for bandwidth in (0.8, "median") for outputs in (3, 1)
    ],
}
path = pathlib.Path(__file__).parent / "silo.json"
lines = ",\n".join(
    f'"{key}": [\n' + ",\n".join("  " + json.dumps(entry) for entry in entries) + "\n]"
    for key, entries in content.items()
)
path.write_text("{" + lines + "}\n")
