"""Trains one or many models on one GPU.

    python3 train.py --data <folder of prepare.py> --out <folder> --runs runs.json --workers 4 --seconds 500

`runs.json` is a list of settings (see DEFAULTS), dealt out to the workers in turn; a run prints one line and writes <name>.npz,
the weights that did best on the validation stories. With "soft" a run learns from the averaged predictions of models trained
before (--predict), beside the text itself.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
import torch.nn.functional as F

from data import Documents, Stream, fill, pack
from model import Config, Llama, document_blocks, document_mask

DEFAULTS = dict(
    name="run", C=256, F=768, H=4, K=2, L=8, rows=32, width=1024, steps=1500, lr=2e-3, warmup=100, final_lr=0.0,
    weight_decay=0.3, beta2=0.98, dropout=0.15, mix=[4, 1, 1, 1], forms=12, seed=1, ema=0.0, optimizer="adamw", muon_lr=0.02,
    evaluations=12, soft=False, soft_weight=0.8, start=None,
)
SETS = ["valid", "tiny_stories", "african_storybook", "fairytale_qa", "fairy_tales"]
TOP = 32  # predictions of the teachers that are kept for each token


class Muon(torch.optim.Optimizer):
    """Momentum whose step for a matrix is made orthogonal (Newton-Schulz), matrices of one shape together."""

    def __init__(self, params, lr, weight_decay, momentum=0.95):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                shapes.setdefault(p.shape, []).append(p)
            for shape, ps in shapes.items():
                g = torch.stack([p.grad for p in ps])
                state = self.state[ps[0]]
                m = state.setdefault("momentum", torch.zeros_like(g))
                m.lerp_(g, 1 - group["momentum"])
                x = orthogonal(g.lerp(m, group["momentum"]))
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for p, d in zip(ps, x.unbind()):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(d.to(p.dtype), alpha=-scale)


def orthogonal(g):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if tall else x


class Validation:
    """Nats per byte and per token of each set, every document on its own."""

    def __init__(self, docs, width, device):
        self.batches, self.docs = [], docs
        for s in range(len(SETS)):
            rows = pack(docs.length, [i for i in range(len(docs)) if docs.source[i] == s], width)
            ids, doc, target, _ = fill(docs, rows, width)
            for a in range(0, len(rows), 16):
                self.batches.append((s, *(torch.from_numpy(x[a:a + 16]).to(device) for x in (ids, doc, target))))
        first = np.unique(docs.document, return_index=True)[1]
        self.bytes = [int(docs.bytes[[i for i in first if docs.source[i] == s]].sum()) for s in range(len(SETS))]

    @torch.no_grad()
    def __call__(self, model):
        model.eval()
        total, count = [0.0] * len(SETS), [0] * len(SETS)
        zero = torch.zeros((), device=next(model.parameters()).device)
        for s, ids, doc, target in self.batches:
            with autocast(ids.device.type):
                logits = model(ids, document_mask(doc), zero)
            total[s] += float(F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), reduction="sum"))
            count[s] += int((target >= 0).sum())
        model.train()
        per_byte = [t / b for t, b in zip(total, self.bytes)]
        both = (total[0] + total[1]) / (self.bytes[0] + self.bytes[1])
        return {"score": both, "per_byte": per_byte, "valid_per_token": total[0] / count[0]}


def autocast(device):
    return torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda")


def load_weights(path, device):
    z = np.load(path)
    c = Config(**json.loads(str(z["config"])))
    model = Llama(c).to(device)
    state = {k: torch.from_numpy(z[k]).to(device) for k in z.files if k != "config"}
    model.load_state_dict(state)
    return model


def save_weights(path, config, state):
    np.savez(path, config=json.dumps(vars(config)), **{k: v.cpu().numpy() for k, v in state.items()})


@torch.no_grad()
def predictions(docs, teachers, forms, width, device, say):
    """Averaged predictions of the teachers for every token of the first `forms` forms: indices and probabilities [N, TOP]."""
    n = len(docs.tokens)
    index = torch.zeros(n, TOP, dtype=torch.int16, device=device)
    value = torch.zeros(n, TOP, dtype=torch.float16, device=device)
    models = [load_weights(t, device).eval() for t in teachers]
    zero = torch.zeros((), device=device)
    rows = pack(docs.length, [i for i in range(len(docs)) if docs.form[i] < forms], width)
    began = time.time()
    while len(rows) % 32:
        rows.append([])
    for a in range(0, len(rows), 32):
        ids, doc, target, where = (torch.from_numpy(x).to(device) for x in fill(docs, rows[a:a + 32], width))
        mask, mean = document_mask(doc), 0
        for m in models:
            with autocast(device):
                mean = mean + m(ids, mask, zero).float().softmax(-1)
        top = (mean / len(models)).topk(TOP)
        keep = where >= 0
        index[where[keep]] = top.indices[keep].to(torch.int16)
        value[where[keep]] = top.values[keep].half()
    say(f"predictions of {len(models)} teachers for {len(rows)} rows in {time.time() - began:.0f} s")
    return index, value


def predict(args):
    """Stage between teachers and students: done once, read by every worker."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    docs = Documents(Path(args.data) / "train.npz")
    teachers = [p for t in args.predict.split(",") if (p := Path(args.out) / f"{t}.npz").exists()]
    index, value = predictions(docs, teachers, DEFAULTS["forms"], DEFAULTS["width"], device, lambda s: print(s, flush=True))
    torch.save((index.cpu(), value.cpu()), Path(args.out) / "soft.pt")
    average_score(docs, teachers, args, device)


@torch.no_grad()
def average_score(docs, teachers, args, device):
    """How well the averaged teachers predict the validation stories: what a student can hope for."""

    class Average(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.models = torch.nn.ModuleList([load_weights(t, device) for t in teachers])

        def forward(self, ids, mask, p):
            return torch.stack([m(ids, mask, p).float().softmax(-1) for m in self.models]).mean(0).log()

    v = Validation(Documents(Path(args.data) / "valid.npz"), DEFAULTS["width"], device)
    s = v(Average())
    print(f"average of {len(teachers)}: {s['score']:.4f} valid/token {s['valid_per_token']:.4f} per byte {s['per_byte']}", flush=True)


_MODELS = {}


class Compiled:
    """A model with its two losses as compiled graphs; made once for each shape and used again by later runs."""

    def __init__(self, config, device, say):
        self.model, self.device, self.mask = Llama(config).to(device), device, document_mask
        self.hard_loss, self.soft_loss = self._hard, self._soft
        if device == "cuda":
            self.hard_loss = torch.compile(self._hard, dynamic=False)
            self.soft_loss = torch.compile(self._soft, dynamic=False)
            self._try_blocks(say)

    def _hard(self, ids, mask, p, target):
        logits = self.model(ids, mask, p)
        return F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=-100)

    def _soft(self, ids, mask, p, target, index, value, weight):
        """Cross entropy against the text and, by `weight`, against the teachers' most likely tokens."""
        logp = self.model(ids, mask, p).float().log_softmax(-1)
        keep = (target >= 0).float()
        hard = -logp.gather(2, target.clamp_min(0)[..., None])[..., 0]
        soft = -(value.float() * logp.gather(2, index.long())).sum(-1)
        return (((1 - weight) * hard + weight * soft) * keep).sum() / keep.sum()

    def _try_blocks(self, say):
        """flex_attention if it runs and agrees with the plain mask, else the plain mask."""
        self.model.reset(1)
        B, T = DEFAULTS["rows"], self.model.c.context
        ids = torch.randint(3, self.model.c.V, (B, T), device=self.device)
        doc = (torch.arange(T, device=self.device) // 300).repeat(B, 1)
        target, zero = ids.roll(-1, 1), torch.zeros((), device=self.device)
        try:
            with autocast(self.device):
                plain = self._hard(ids, document_mask(doc), zero, target)
                a = torch.autograd.grad(plain, self.model.layers[0].q.weight)[0]
                blocks = self.hard_loss(ids, document_blocks(doc), zero, target)
            b = torch.autograd.grad(blocks, self.model.layers[0].q.weight)[0]
            off = float((a - b).norm() / a.norm())
            if abs(float(plain) - float(blocks)) < 0.01 and off < 0.1:
                self.mask = document_blocks
            say(f"flex_attention: loss {float(blocks):.4f}, with a plain mask {float(plain):.4f}, gradient off by {off:.4f}")
        except Exception as e:
            say(f"flex_attention: {type(e).__name__}: {str(e)[:300]}")


def get_model(config, device, say):
    key = json.dumps(vars(config))
    if key not in _MODELS:
        _MODELS[key] = Compiled(config, device, say)
    return _MODELS[key]


def train(run, docs, validation, out, device, say, soft=None):
    r = dict(DEFAULTS, **run)
    config = Config(C=r["C"], F=r["F"], H=r["H"], K=r["K"], L=r["L"], context=r["width"])
    compiled = get_model(config, device, say)
    model = compiled.model
    model.reset(r["seed"])
    if r["start"]:
        model.load_state_dict(load_weights(r["start"], device).state_dict())
    model.train()
    torch.manual_seed(r["seed"])
    dropout, soft_weight = torch.tensor(r["dropout"], device=device), torch.tensor(r["soft_weight"], device=device)
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("embed")]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    muon = r["optimizer"] == "muon"
    groups = [
        {"params": [model.embed.weight] + ([] if muon else matrices), "weight_decay": r["weight_decay"]},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizers = [torch.optim.AdamW(groups, lr=r["lr"], betas=(0.9, r["beta2"]), fused=device == "cuda")]
    if muon:
        optimizers.append(Muon(matrices, r["muon_lr"], r["weight_decay"]))
    peak = [[g["lr"] for g in o.param_groups] for o in optimizers]
    average = {k: v.clone() for k, v in model.state_dict().items()} if r["ema"] else None
    stream = Stream(docs, r["mix"], r["rows"], r["width"], r["seed"], device, r["forms"])
    best, began, losses, history = None, time.time(), [], []
    marks = {round(r["steps"] * (i + 1) / r["evaluations"]) for i in range(r["evaluations"])}
    for step in range(1, r["steps"] + 1):
        share = min(step / r["warmup"], r["final_lr"] + (1 - r["final_lr"]) * (1 - step / r["steps"]))
        for o, ps in zip(optimizers, peak):
            for g, lr in zip(o.param_groups, ps):
                g["lr"] = lr * share
        ids, doc, target, where = stream.next()
        mask = compiled.mask(doc)
        with autocast(device):
            if soft is None:
                loss = compiled.hard_loss(ids, mask, dropout, target)
            else:
                at = where.clamp_min(0)
                loss = compiled.soft_loss(ids, mask, dropout, target, soft[0][at], soft[1][at], soft_weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad(set_to_none=True)
        if average is not None:
            decay = min(r["ema"], (step + 1) / (step + 10))
            for k, v in model.state_dict().items():
                average[k].lerp_(v, 1 - decay)
        losses.append(loss.detach())
        if step in marks:
            scores = validation(model)
            which = "weights"
            state = {k: v.detach().clone() for k, v in model.state_dict().items()}
            if average is not None:
                model.load_state_dict(average)
                mean_scores = validation(model)
                model.load_state_dict(state)
                if mean_scores["score"] < scores["score"]:
                    scores, state, which = mean_scores, {k: v.clone() for k, v in average.items()}, "average"
            train_loss = float(torch.stack(losses[-100:]).mean())
            history.append((step, round(train_loss, 3), round(scores["score"], 4)))
            if best is None or scores["score"] < best[0]["score"]:
                best = (scores, state, step, which)
    stream.stop()
    seconds = time.time() - began
    scores, state, step, which = best
    save_weights(Path(out) / f"{r['name']}.npz", config, state)
    size = sum(p.numel() for p in model.parameters())
    say(
        f"{r['name']}: {size / 1e6:.2f}M best {scores['score']:.4f} at {step} ({which}) valid/token {scores['valid_per_token']:.4f} "
        f"per byte {' '.join(f'{x:.4f}' for x in scores['per_byte'])} | {seconds:.0f} s "
        f"{r['steps'] * r['rows'] * r['width'] / seconds / 1e6:.2f} Mtok/s | " + " ".join(f"{s}:{a}/{b}" for s, a, b in history)
    )
    return scores


@torch.no_grad()
def sample(model, prompts, tokens, temperature, top_p, device, seed=1):
    """Plain sampling of the whole sequence at every step; small models do not need a cache here."""
    model.eval()
    g = torch.Generator(device=device).manual_seed(seed)
    out, zero = [], torch.zeros((), device=device)
    for prompt in prompts:
        ids = torch.tensor([prompt], device=device)
        while ids.shape[1] < tokens:
            doc = torch.zeros_like(ids)
            with autocast(device):
                logits = model(ids, document_mask(doc), zero)[0, -1].float()
            if temperature == 0:
                token = logits.argmax()[None]
            else:
                p, order = (logits / temperature).softmax(-1).sort(descending=True)
                p[p.cumsum(0) - p > top_p] = 0
                token = order[torch.multinomial(p, 1, generator=g)]
            ids = torch.cat([ids, token[None]], 1)
            if int(token) == 2:
                break
        out.append(ids[0].tolist())
    return out


def worker(args, mine):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    deadline = args.began + args.seconds
    docs = Documents(Path(args.data) / "train.npz")
    width = DEFAULTS["width"]
    validation = Validation(Documents(Path(args.data) / "valid.npz"), width, device)

    def say(text):
        print(f"[{time.time() - args.began:5.0f} s] {text}", flush=True)

    soft = None
    for run in mine:
        r = dict(DEFAULTS, **run)
        if not run:
            continue  # a gap that keeps the dealing even
        if time.time() > deadline:
            say(f"{r['name']}: no time left")
            continue
        if r["soft"] and soft is None:
            soft = tuple(x.to(device) for x in torch.load(Path(args.out) / "soft.pt"))
        if r["start"]:
            r["start"] = str(Path(args.out) / f"{r['start']}.npz")
        try:
            train(r, docs, validation, args.out, device, say, soft if r["soft"] else None)
        except Exception as e:  # one bad setting must not end the others
            say(f"{r['name']}: {type(e).__name__}: {e}")
            continue
        if args.tokenizer:
            import sentencepiece

            sp = sentencepiece.SentencePieceProcessor(args.tokenizer)
            model = load_weights(Path(args.out) / f"{r['name']}.npz", device)
            prompt = [1] + sp.encode("Once upon a time")
            for t, n in ((0.0, 1), (0.75, 2)):
                for ids in sample(model, [prompt] * n, 260, t, 0.95, device):
                    print(f"--- {r['name']} temperature {t}\n{sp.decode(ids[1:])}\n", flush=True)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", required=True)
    args.add_argument("--out", required=True)
    args.add_argument("--runs")
    args.add_argument("--workers", type=int, default=1)
    args.add_argument("--seconds", type=float, default=1e9, help="no run is started after this")
    args.add_argument("--tokenizer", help="print samples with it")
    args.add_argument("--predict", help="average these models' predictions into <out>/soft.pt, for runs with \"soft\"")
    args.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    args.add_argument("--began", type=float, default=time.time(), help=argparse.SUPPRESS)
    args = args.parse_args()
    os.makedirs(args.out, exist_ok=True)
    if args.predict:
        return predict(args)
    runs = json.loads(Path(args.runs).read_text())
    if args.worker is not None or args.workers == 1:
        return worker(args, runs[args.worker or 0::args.workers])
    children = [
        subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--worker", str(i), "--began", str(args.began)])
        for i in range(min(args.workers, len(runs)))
    ]
    sys.exit(max(c.wait() for c in children))


if __name__ == "__main__":
    main()
