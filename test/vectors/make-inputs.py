"""Writes inputs.json: an IDX file by numpy's own big-endian types, its pixels, and windows of a text, by Python alone."""

import base64
import gzip
import json
import os

import numpy as np

rng = np.random.default_rng(7)
images = rng.integers(0, 256, size=(3, 2, 4), dtype=np.uint8)
header = np.array([0x00000803, *images.shape], dtype=">u4").tobytes()
text, vocabulary, window, stride = "to be, or not: to be é😀!", " tobern,:", 5, 3
codes = {character: code for code, character in enumerate(vocabulary, 1)}
other = len(vocabulary) + 1
code = [codes.get(character, other) for character in text]
positions = range(0, len(text), stride)
result = {
    "madeBy": f"make-inputs.py, numpy {np.__version__}",
    "images": {
        "idxGzip": base64.b64encode(gzip.compress(header + images.tobytes(), mtime=0)).decode(),
        "unit": (images[[2, 0]].reshape(2, -1) / np.float32(255)).astype(np.float32).tolist(),
        "symmetric": (images[[2, 0]].reshape(2, -1) / 127.5 - 1).astype(np.float32).tolist(),
    },
    "text": {
        "text": text,
        "vocabulary": vocabulary,
        "window": window,
        "stride": stride,
        "windows": [([0] * window + code[:i])[-window:] for i in positions],
        "labels": [code[i] - 1 for i in positions],
    },
}
# The first MNIST test digit, by numpy, where the data are at hand.
data = os.environ.get("PARLEY_DATA", "")
file = os.path.join(data, "mnist-writers", "mnist-test-images.idx3-ubyte.gz")
if os.path.exists(file):
    pixels = np.frombuffer(gzip.open(file).read(), np.uint8, offset=16).reshape(-1, 28, 28)
    result["mnist"] = {
        "count": len(pixels),
        "sumOfPixels": [int(pixels[i].sum()) for i in (0, 1, 4999, 9999)],
        "row14OfFirst": pixels[0, 14].tolist(),
    }
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "inputs.json"), "w") as out:
    out.write(json.dumps(result, indent=1) + "\n")
