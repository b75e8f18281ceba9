#!/usr/bin/env python3
"""Log-probabilities of K-quantised files beside llama.cpp's.

Quantises the default model with the packaged llama-quantize to Q2_K … Q6_K, lets the packaged llama-server (CPU) and
`weft logits` read the same token ids, and compares the natural-log probabilities of the most likely tokens after every
prefix, and the likelihood of the text. Needs `./dev setup peers`, a release build, and an F32 file of the default model:

    bench/peers/kquant_logprobs.py build/release/weft F32.gguf [--positions 48]

Standard library only. Exit status 1 if the mean log-probability of the text differs by more than the tolerance, or ours from the exact one.
"""
import argparse
import json
import math
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PREFIX = ROOT / ".deps/prefix"
LIB = PREFIX / "usr/lib/x86_64-linux-gnu"
KEPT = 512  # most likely tokens asked of the peer at every position
FORMATS = ["Q2_K", "Q3_K_S", "Q4_K_S", "Q5_K_S", "Q6_K"]
TEXT = "Once upon a time, there was a little girl named Lily. She had a red ball and a small dog. One day, they went to the park to play."


def peer(program, *arguments):
    """Command line of a packaged program under its own C library."""
    return [str(LIB / "ld-linux-x86-64.so.2"), "--library-path", f"{LIB}:{LIB / 'llama'}",
            str(PREFIX / "usr/bin" / program), *map(str, arguments)]


def run_json(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(port, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def peer_logprobs(model, ids, top):
    """For every prefix of ids: {token id: log-probability} of the `top` most likely next tokens."""
    port = free_port()
    server = subprocess.Popen(peer("llama-server", "-m", model, "--port", port, "--host", "127.0.0.1", "-t", 2, "-c", 512,
                                   "-fa", "off", "-ctk", "f32", "-ctv", "f32", "--no-warmup", "-np", 1),
                              cwd=LIB / "ggml/backends0", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        rows = []
        for n in range(1, len(ids) + 1):
            answer = post(port, "/completion", {"prompt": ids[:n], "n_predict": 1, "n_probs": top, "temperature": 0,
                                                "cache_prompt": False})
            rows.append({entry["id"]: entry["logprob"] for entry in answer["completion_probabilities"][0]["top_logprobs"]})
        return rows
    finally:
        server.terminate()
        server.wait()


def weft_logprobs(weft, model, ids, *options):
    """[T][V] natural-log probabilities from `weft logits`."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "logits.npy"
        subprocess.run([weft, "logits", "-m", model, "--kv", "f32", "--ids", ",".join(map(str, ids)), "-o", path, *options], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        data = path.read_bytes()
    header = struct.unpack("<H", data[8:10])[0]
    shape = eval(data[10:10 + header].decode())["shape"]  # a Python literal by the format's definition
    values = struct.unpack(f"<{shape[0] * shape[1]}f", data[10 + header:])
    rows = []
    for t in range(shape[0]):
        row = values[t * shape[1]:(t + 1) * shape[1]]
        best = max(row)
        norm = best + math.log(sum(math.exp(v - best) for v in row))
        rows.append([v - norm for v in row])
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weft")
    parser.add_argument("f32")
    parser.add_argument("--positions", type=int, default=48)
    parser.add_argument("--top", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=2e-2)
    options = parser.parse_args()
    weft = os.path.abspath(options.weft)
    f32 = os.path.abspath(options.f32)
    ids = run_json(weft, "tokenize", "-m", f32, "-p", TEXT, "--json")["ids"][:options.positions]
    failed = False
    print(f"{len(ids)} positions, {options.top} most likely tokens each; |difference| of natural-log probabilities, mean and max.")
    print("exact: weft --no-passes, which multiplies the dequantised weights with activations that are not quantised.")
    print(f"{'format':8} {'weft - exact':>19} {'llama.cpp - exact':>19} {'weft - llama.cpp':>19} {'NLL difference':>15}")
    for name in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / f"{name}.gguf"
            subprocess.run(peer("llama-quantize", "--pure", f32, model, name), check=True, cwd=LIB / "ggml/backends0",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            theirs = peer_logprobs(model, ids, KEPT)
            ours = weft_logprobs(weft, model, ids)
            exact = weft_logprobs(weft, model, ids, "--no-passes")
        pairs = [[], [], []]
        for t, row in enumerate(theirs):
            for i, p in list(row.items())[:options.top]:
                pairs[0].append(abs(ours[t][i] - exact[t][i]))
                pairs[1].append(abs(p - exact[t][i]))
                pairs[2].append(abs(ours[t][i] - p))
        means = [sum(d) / len(d) for d in pairs]
        # Of the text itself, where the peer lists its token (nearly always).
        known = [(ours[t][n], theirs[t][n]) for t, n in enumerate(ids[1:]) if n in theirs[t]]
        nll = sum(a - b for a, b in known) / len(known)
        # Token by token, two implementations that round activations differently are as far apart as their errors are
        # large: what is asked is that the text's likelihood agrees and that ours is near the truth.
        verdict = "" if abs(nll) <= options.tolerance and means[0] <= options.tolerance else "  differs"
        failed |= bool(verdict)
        print(f"{name:8}" + "".join(f" {m:9.5f} {max(d):9.5f}" for m, d in zip(means, pairs)) + f" {nll:+15.5f}" + verdict)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
