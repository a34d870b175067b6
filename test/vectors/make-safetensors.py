"""Writes tensors.safetensors and update.safetensors with the reference implementation. See README.md."""

import pathlib

import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
tensors = {
    "weights": np.array([[1.5, -2.25, 3.0], [0.1, 1e-30, -1e30]], dtype=np.float32),
    "codes": np.array([-2147483648, -1, 0, 1, 2147483647], dtype=np.int32),
    "sums": np.array([np.pi, -0.0, 1e300], dtype=np.float64),
    "bias": np.zeros((0,), dtype=np.float32),
    "scalar": np.array(7, dtype=np.int32),
}
save_file(tensors, here / "tensors.safetensors", metadata={"origin": "python 0.8.0, \u00e9 \"quoted\""})
save_file({"update": np.array([3, -4, 5], dtype=np.int32)}, here / "update.safetensors")
