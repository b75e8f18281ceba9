"""Writes tests/golden/<model>/ from Hugging Face transformers, the judge of what each architecture computes.

    python3 oracle/make_goldens.py                    # all models, into tests/golden
    python3 oracle/make_goldens.py --only qwen3       # one of them
    python3 oracle/make_goldens.py --check            # make them again and compare with what is committed

Needs torch, transformers and safetensors; building Weft does not.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
import transformers
from safetensors.torch import load_file

import activations
import golden_models
import gguf_export
import safetensors_writer

ROOT = Path(__file__).resolve().parent.parent
LENGTHS = (17, 5, 40)  # the first one's activations are kept
STEPS = 24
ATOL = RTOL = 1e-3
GAP_FACTOR = 20.0


def tolerance(logit):
    return ATOL + RTOL * abs(logit)


@torch.no_grad()
def search(model, length, seed, device, wanted=6, batch=8192, rounds=200):
    """Prompts whose greedy continuation is varied and never near a tie, the most varied first.

    Random models have near ties at about one step in five, and fall into loops, so a few prompts in ten thousand are left;
    most fall out early, which makes looking through a million of them a matter of seconds.
    """
    g = torch.Generator().manual_seed(seed)
    found = []
    model = model.to(device)
    for _ in range(rounds):
        ids = torch.randint(3, model.config.vocab_size, (batch, length), generator=g).to(device)
        for step in range(STEPS):
            top = model(ids, use_cache=False, logits_to_keep=1).logits[:, -1].topk(2)
            # 1.05: the search may run on a GPU, whose float32 sums differ in the last places.
            need = 1.05 * GAP_FACTOR * (ATOL + RTOL * top.values[:, 0].abs())
            clear = top.values[:, 0] - top.values[:, 1] >= need
            ids = torch.cat([ids, top.indices[:, :1]], 1)[clear]
            text = ids[:, length:].sort(1).values
            distinct = 1 + (text[:, 1:] != text[:, :-1]).sum(1)
            ids = ids[distinct > 0.3 * step]
            if len(ids) == 0:
                break
        found += ids.cpu().tolist()
        if len(found) >= wanted:
            break
    model.to("cpu")
    found.sort(key=lambda x: -len(set(x[length:])))
    return [x[:length] for x in found]


@torch.no_grad()
def greedy(model, ids):
    """(ids, gap at each step, top logit at each step), float32 on the CPU, the whole sequence every step."""
    ids, gaps, tops = list(ids), [], []
    for _ in range(STEPS):
        top = model(torch.tensor([ids]), use_cache=False).logits[0, -1].topk(2)
        gaps.append(float(top.values[0] - top.values[1]))
        tops.append(float(top.values[0]))
        ids.append(int(top.indices[0]))
    return ids[-STEPS:], gaps, tops


@torch.no_grad()
def greedy_with_cache(model, ids):
    """The same ids one token at a time: what an engine with a cache does, window and all."""
    out, step, cache = [], torch.tensor([ids]), None
    for _ in range(STEPS):
        result = model(step, past_key_values=cache, use_cache=True)
        cache, step = result.past_key_values, result.logits[:, -1:].argmax(-1)
        out.append(int(step))
    return out


def prompt_entry(model, ids):
    out, gaps, tops = greedy(model, ids)
    ratio = min(gap / tolerance(top) for gap, top in zip(gaps, tops))
    if ratio < GAP_FACTOR:
        return None
    cached = greedy_with_cache(model, ids)
    if cached != out:
        raise RuntimeError("generation with a cache and without it disagree")
    return {
        "ids": ids,
        "greedy": out,
        "min_gap": round(min(gaps), 6),
        "min_gap_over_tolerance": round(ratio, 3),
    }


def softcap_is_ignored(golden, model, ids):
    """Gemma 3's configuration has attn_logit_softcapping; its attention takes no notice."""
    config = dict(golden.config, attn_logit_softcapping=0.5)
    capped = golden_models.build(golden_models.Golden(**{**vars(golden), "config": config}))
    with torch.no_grad():
        a, b = (m(torch.tensor([ids]), use_cache=False).logits for m in (model, capped))
    return torch.equal(a, b)


def two_shards(model, folder):
    total = sum(p.numel() * 4 for p in model.parameters())
    for share in (0.5, 0.55, 0.6, 0.65, 0.7, 0.8):
        shutil.rmtree(folder, ignore_errors=True)
        model.save_pretrained(folder, max_shard_size=f"{int(total * share / 1000)}KB")
        if len(list(folder.glob("model-*.safetensors"))) == 2:
            return
    raise RuntimeError("no shard size gives two shards")


def make(golden, folder, device, prompts=None):
    folder.mkdir(parents=True, exist_ok=True)
    model = golden_models.build(golden)
    entries = []
    for n, length in enumerate(LENGTHS):
        candidates = [prompts[n]] if prompts else search(model, length, 1000 * golden.seed + length, device)
        entry = next((e for e in (prompt_entry(model, ids) for ids in candidates) if e), None)
        if entry is None:
            raise RuntimeError(f"{golden.name}: no prompt of {length} tokens keeps clear of ties")
        entries.append(entry)
    ids = entries[0]["ids"]
    if golden.arch == "gemma3" and not softcap_is_ignored(golden, model, ids):
        raise RuntimeError("transformers now applies attn_logit_softcapping to Gemma 3: write a golden with it")

    acts, seen = activations.capture(model, ids)
    names = list(acts)
    safetensors_writer.write(
        folder / "acts.safetensors",
        {k: v.contiguous().numpy() for k, v in acts.items()},
        {"order": ",".join(names), "model": golden.name},
    )
    gguf_export.export(model, golden.arch, folder / "model.gguf", f"weft golden {golden.name}")
    model.save_pretrained(folder / "hf")
    for extra in folder.glob("hf*/generation_config.json"):
        extra.unlink()
    if golden.sharded:
        two_shards(model, folder / "hf_sharded")
        (folder / "hf_sharded" / "generation_config.json").unlink(missing_ok=True)
    report = {
        "name": golden.name,
        "architecture": golden.arch,
        "seed": golden.seed,
        "versions": {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__},
        "settings": golden.config,
        "attention_scale": seen["scaling"],
        "notes": golden.notes,
        "tolerances": {
            "f32": {"atol": ATOL, "rtol": RTOL},
            "f16": {"atol": 0.1, "rtol": 0.05},
            "gap": f"every greedy step: top logit - second >= {GAP_FACTOR:g} * (atol + rtol * |top logit|) of f32",
        },
        "activations_of_prompt": 0,
        "end_of_text": "ignored: every prompt has exactly the tokens listed",
        "prompts": entries,
    }
    text = json.dumps(report, indent=1)
    # Number lists on one line: ids are read by people who compare them.
    text = re.sub(r"\[\s+((?:-?\d+,\s+)*-?\d+)\s+\]", lambda m: "[" + " ".join(m[1].split()) + "]", text)
    (folder / "golden.json").write_text(text + "\n")
    spread = {k: float(v.float().std()) for k, v in acts.items() if k.startswith(("residual", "logits"))}
    print(
        f"{golden.name}: {len(names)} activations, "
        f"gaps/tolerance {[e['min_gap_over_tolerance'] for e in entries]}, "
        f"distinct {[len(set(e['greedy'])) for e in entries]}, logits std {spread['logits']:.2f}, "
        f"residual rms {float(acts[names[-3]].pow(2).mean().sqrt()):.2f}",
        flush=True,
    )


def same_tensors(a, b, atol):
    x, y = load_file(a), load_file(b)
    if x.keys() != y.keys():
        return f"other tensors: {sorted(x.keys() ^ y.keys())}"
    for k in x:
        if x[k].shape != y[k].shape:
            return f"{k}: shape {list(x[k].shape)}, committed {list(y[k].shape)}"
        worst = float((x[k].double() - y[k].double()).abs().max())
        if not worst <= atol * max(1.0, float(y[k].double().abs().max())):
            return f"{k}: differs by {worst:g}"
    return None


def check(golden, committed, device):
    """Weights must come out equal to the bit; activations within 1e-5 of the largest (CPUs add in different orders)."""
    old = json.loads((committed / "golden.json").read_text())
    problems = []
    with tempfile.TemporaryDirectory() as t:
        fresh = Path(t) / golden.name
        make(golden, fresh, device, [p["ids"] for p in old["prompts"]])
        new = json.loads((fresh / "golden.json").read_text())
        if (fresh / "model.gguf").read_bytes() != (committed / "model.gguf").read_bytes():
            problems.append("model.gguf differs")
        for path in sorted(committed.rglob("*.safetensors")):
            rel = path.relative_to(committed)
            wrong = same_tensors(fresh / rel, path, 1e-5 if rel.name == "acts.safetensors" else 0.0)
            if wrong:
                problems.append(f"{rel}: {wrong}")
        for a, b in zip(new["prompts"], old["prompts"]):
            if a["greedy"] != b["greedy"]:
                problems.append(f"greedy ids of the prompt of {len(a['ids'])} tokens differ")
            if abs(a["min_gap"] - b["min_gap"]) > 1e-3:
                problems.append(f"gap {a['min_gap']}, committed {b['min_gap']}")
    return problems


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", type=Path, default=ROOT / "tests" / "golden")
    args.add_argument("--only", action="append", default=[], metavar="MODEL")
    args.add_argument("--check", action="store_true", help="compare with what is there instead of writing")
    args = args.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True, warn_only=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    failed = 0
    for golden in golden_models.GOLDENS:
        if args.only and golden.name not in args.only:
            continue
        folder = args.out / golden.name
        if args.check:
            problems = check(golden, folder, device)
            failed += bool(problems)
            print(f"{golden.name}: {'; '.join(problems) or 'the same'}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            make(golden, folder, device)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
