"""An outside yardstick: what a loop over users costs in Python, on this machine.

Each user trains a model on her own records for one step of SGD from the same parameters, her update is clipped to L2 norm
0.5 over all parameters, and added to a sum: what a simulator with user-level clipping does for every user it draws.

    numpy         a loop over users, forward and backward by hand
    torch loop    a loop over users with a module, its autograd and its optimiser, as simulators with torch do
    torch vmap    per-user gradients of many users at once by torch.func, the fastest way that torch offers

    python3 bench/yardstick.py [--json] [--quick] [--threads 1|2] [--serve]

Without --threads, a process for each number of threads. With --serve it answers lines `<workload> <method>` or `sgemm` on
standard input, one JSON object each: so another program measures in turns with its own work. Needs numpy; torch where it
is installed. Nothing of Parley needs either.
"""

import argparse
import json
import os
import subprocess
import sys
import time

CLIP_NORM = 0.5
RATE = 0.1
# Layers, records, users: as in bench/users.ts.
WORKLOADS = {
    "mlp10": ((446, 128, 30), 10, 200),
    "mlp2": ((446, 128, 30), 2, 200),
    "logistic10": ((100, 10), 10, 500),
}


def numpy_round(np, layers, records, users):
    rng = np.random.default_rng(11)
    weights = [
        (rng.standard_normal((i, o), dtype=np.float32) / np.float32(i**0.5), np.zeros(o, np.float32))
        for i, o in zip(layers, layers[1:])
    ]
    features = rng.uniform(-1, 1, (users, records, layers[0])).astype(np.float32)
    labels = rng.integers(0, layers[-1], (users, records))
    total = [np.zeros_like(part) for layer in weights for part in layer]
    rows = np.arange(records)

    def user(x, y):
        inputs = [x]
        for w, b in weights[:-1]:
            inputs.append(np.maximum(inputs[-1] @ w + b, 0))
        w, b = weights[-1]
        logits = inputs[-1] @ w + b
        exps = np.exp(logits - logits.max(axis=1, keepdims=True))
        back = exps / exps.sum(axis=1, keepdims=True)
        back[rows, y] -= 1
        back /= records
        update = []
        for depth in range(len(weights) - 1, -1, -1):
            update[:0] = [inputs[depth].T @ back, back.sum(axis=0)]
            if depth > 0:
                back = (back @ weights[depth][0].T) * (inputs[depth] > 0)
        norm = RATE * float(sum(np.vdot(part, part) for part in update)) ** 0.5
        scale = np.float32(-RATE * min(1.0, CLIP_NORM / max(norm, 1e-12)))
        for part, own in zip(total, update):
            part += scale * own

    def run():
        for index in range(users):
            user(features[index], labels[index])

    return run


def torch_module(torch, layers):
    torch.manual_seed(11)
    parts = []
    for depth, (i, o) in enumerate(zip(layers, layers[1:])):
        parts += [torch.nn.ReLU()] if depth > 0 else []
        parts.append(torch.nn.Linear(i, o))
    return torch.nn.Sequential(*parts)


def torch_data(torch, layers, records, users):
    features = 2 * torch.rand(users, records, layers[0]) - 1
    return features, torch.randint(0, layers[-1], (users, records))


def torch_loop(torch, layers, records, users):
    model = torch_module(torch, layers)
    features, labels = torch_data(torch, layers, records, users)
    received = [part.detach().clone() for part in model.parameters()]
    total = [torch.zeros_like(part) for part in received]
    loss = torch.nn.CrossEntropyLoss()

    def user(x, y):
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            update = [own - part for own, part in zip(model.parameters(), received)]
            norm = torch.sqrt(sum((part * part).sum() for part in update))
            scale = torch.clamp(CLIP_NORM / (norm + 1e-12), max=1.0)
            for part, own, own_total, before in zip(model.parameters(), update, total, received):
                own_total += scale * own
                part.copy_(before)

    def run():
        for index in range(users):
            user(features[index], labels[index])

    return run


def torch_vmap(torch, layers, records, users):
    from torch.func import functional_call, grad, vmap

    model = torch_module(torch, layers)
    features, labels = torch_data(torch, layers, records, users)
    received = {name: part.detach() for name, part in model.named_parameters()}
    total = {name: torch.zeros_like(part) for name, part in received.items()}

    def loss(parameters, x, y):
        return torch.nn.functional.cross_entropy(functional_call(model, parameters, (x,)), y)

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))

    def run():
        # Fifty at once: their gradients stay in the caches' reach.
        for start in range(0, users, 50):
            own = gradients(received, features[start : start + 50], labels[start : start + 50])
            squares = sum((part * part).flatten(1).sum(dim=1) for part in own.values())
            norms = RATE * torch.sqrt(squares)
            scales = -RATE * torch.clamp(CLIP_NORM / (norms + 1e-12), max=1.0)
            for name, part in own.items():
                total[name] += torch.tensordot(scales, part, dims=1)

    return run


def sgemm(np, size=1024):
    a = np.ones((size, size), np.float32)
    b = np.ones((size, size), np.float32)
    out = np.empty_like(a)
    wall, processor = [], []
    for _ in range(5):
        start, used = time.perf_counter(), time.process_time()
        np.matmul(a, b, out=out)
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    flops = 2e-9 * size**3
    return {"method": "sgemm", "gigaflops": flops / min(wall), "per_processor_second": flops / sorted(processor)[2]}


class Bench:
    """Everything that can be asked for, made once when it is first asked for."""

    def __init__(self, threads, quick):
        import numpy

        self.np, self.quick, self.made = numpy, quick, {}
        try:
            import torch

            torch.set_num_threads(threads)
            self.torch = torch
        except ImportError:
            self.torch = None

    def methods(self):
        return ["numpy"] + (["torch loop", "torch vmap"] if self.torch else [])

    def run(self, workload, method):
        layers, records, users = WORKLOADS[workload]
        users = 4 if self.quick else users
        if (workload, method) not in self.made:
            make = {"numpy": numpy_round, "torch loop": torch_loop, "torch vmap": torch_vmap}[method]
            library = self.np if method == "numpy" else self.torch
            self.made[workload, method] = make(library, layers, records, users)
            self.made[workload, method]()
        start, used = time.perf_counter(), time.process_time()
        self.made[workload, method]()
        seconds, processor = time.perf_counter() - start, time.process_time() - used
        speed = {"users_per_second": users / seconds, "processor_us_per_user": 1e6 * processor / users}
        return {"workload": workload, "method": method, **speed}


def serve(bench):
    about = {"methods": bench.methods(), "numpy": bench.np.__version__}
    about["torch"] = bench.torch.__version__ if bench.torch else None
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        workload, _, method = line.strip().partition(" ")
        answer = sgemm(bench.np) if workload == "sgemm" else bench.run(workload, method)
        print(json.dumps(answer), flush=True)


def report(bench, threads, as_json):
    repeats = 1 if bench.quick else 5
    figures = [sgemm(bench.np)]
    for workload in WORKLOADS:
        for method in bench.methods():
            runs = [bench.run(workload, method) for _ in range(repeats)]
            figures.append(sorted(runs, key=lambda run: run["users_per_second"])[repeats // 2])
    for figure in figures:
        if as_json:
            print(json.dumps({**figure, "threads": threads}))
        elif "gigaflops" in figure:
            print(f"{threads} thread(s), sgemm: {figure['gigaflops']:.0f} GF/s")
        else:
            speed = figure["users_per_second"]
            used = figure["processor_us_per_user"]
            print(
                f"{threads} thread(s), {figure['workload']}, {figure['method']}: {speed:.0f} users/s, "
                f"{used:.0f} us of processor time a user"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads is None:
        for threads in (1, 2):
            subprocess.run([sys.executable, *sys.argv, "--threads", str(threads)], check=True)
        return
    # Read when numpy is first loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    bench = Bench(args.threads, args.quick)
    if args.serve:
        serve(bench)
    else:
        report(bench, args.threads, args.json)


if __name__ == "__main__":
    main()
