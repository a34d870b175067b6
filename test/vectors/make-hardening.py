"""Writes hardening.json: hardened answers by numpy and the surrogate attack's slope by autograd. See README.md."""

import json
import pathlib

import autograd.numpy as np
from autograd import value_and_grad
from scipy.special import softmax

rng = np.random.RandomState(20260724)
cases, attacks = [], []
for classes in (2, 3, 10, 100):
    logits = rng.uniform(-5, 5, classes)
    p = softmax(logits)
    entry = {"logits": logits.tolist(), "probabilities": p.tolist(), "label": int(np.argmax(p))}
    entry["temperature"] = [[t, softmax(np.log(p) / t).tolist()] for t in (0.5, 2.0, 10.0)]
    entry["rounding"] = [[d, np.round(p, d).tolist()] for d in (0, 1, 3)]
    entry["topK"] = [[k, np.where(np.argsort(np.argsort(-p)) < k, p, 0).tolist()] for k in (1, 2, 200)]
    cases.append(entry)

    hidden = 4
    weights = rng.uniform(-3, 3, (hidden, classes))
    biases, output = rng.uniform(-1, 1, hidden), rng.uniform(-2, 2, hidden)
    order = np.argsort(-p)

    def logit(x):
        return np.dot(output, np.tanh(np.dot(weights, x[order]) + biases)) + 0.25

    value, slope = value_and_grad(logit)(p)
    surrogate = {
        "weights": weights.tolist(),
        "biases": biases.tolist(),
        "outputWeights": output.tolist(),
        "outputBias": 0.25,
    }
    attacks.append(
        {"surrogate": surrogate, "probabilities": p.tolist(), "logit": float(value), "gradient": slope.tolist()}
    )

path = pathlib.Path(__file__).parent / "hardening.json"
path.write_text(json.dumps({"cases": cases, "attacks": attacks}, indent=None) + "\n")
