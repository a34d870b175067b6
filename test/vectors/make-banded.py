"""Sensitivity, error and optimised coefficients of banded Toeplitz matrices, from jax-privacy.

Run as: python make-banded.py   (jax-privacy 2.0.0)
"""

import itertools
import json
import math

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp  # noqa: E402
from jax_privacy.matrix_factorization import sensitivity, toeplitz  # noqa: E402


def square_root(bands):
    return [float(c) for c in toeplitz.optimal_max_error_strategy_coefs(bands)]


def of_matrix(coefficients, rounds, min_separation, max_participations):
    """The dynamic program over all patterns, on the matrix written out."""
    dense = toeplitz.materialize_lower_triangular(jnp.array(coefficients), rounds)
    value = sensitivity.get_sensitivity_banded(dense, min_separation, max_participations)
    return {
        "coefficients": coefficients,
        "rounds": rounds,
        "minSeparation": min_separation,
        "maxParticipations": max_participations,
        "sensitivity": value,
    }


def sensitivities():
    shapes = [(1, 0.0), (2, 0.3), (4, 0.7), (7, 0.1)]
    for (bands, decay), rounds, gap, participations in itertools.product(
        shapes, (8, 33, 100), (0, 3), (1, 2, 5, 100)
    ):
        if bands + gap <= rounds:
            coefficients = [1.3 * math.exp(-decay * k) / (1 + k) for k in range(bands)]
            yield of_matrix(coefficients, rounds, bands + gap, participations)
    for bands, rounds, participations in [(8, 64, 8), (16, 200, 3), (50, 500, 10), (128, 500, 2)]:
        yield of_matrix(square_root(bands), rounds, bands, participations)


def errors():
    """Mean over rounds of the squared error of prefix sums, for noise of standard deviation 1 before correlation."""
    for rounds, bands in [(10, 3), (50, 10), (100, 100), (200, 16), (500, 64), (1000, 1000)]:
        coefficients = jnp.array(square_root(bands))
        root = jnp.mean(toeplitz.per_query_error(strategy_coef=coefficients, n=rounds))
        best = toeplitz.optimize_banded_toeplitz(rounds, bands)
        yield {
            "rounds": rounds,
            "bands": bands,
            "meanSquaredError": float(root),
            "timesSensitivitySquared": float(toeplitz.loss(coefficients, rounds)),
            "optimisedTimesSensitivitySquared": float(toeplitz.loss(best, rounds)),
        }


vectors = {
    "source": "python make-banded.py, jax-privacy 2.0.0",
    "squareRoot": square_root(40),
    "inverseOfSquareRootOf5Bands": [float(c) for c in toeplitz.inverse_coef(jnp.array(square_root(5)), 30)],
    "sensitivities": list(sensitivities()),
    "errors": list(errors()),
}
with open("banded-matrix.json", "w") as file:
    json.dump(vectors, file, indent=1)
    file.write("\n")
