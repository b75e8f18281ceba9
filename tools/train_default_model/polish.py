"""Takes the loops out of a trained model ("... and climbed the tree and climbed the tree and ...").

    python3 polish.py --data <folder> --start best.npz --out <folder>

A model of so little text repeats itself when the likeliest token is taken every time. Here it writes stories, is taught that each
token which completed a run of four tokens already written was unlikely (unlikelihood training, Welleck et al. 2019), and is held to its
own earlier predictions on real stories meanwhile. Writes a checkpoint after several rounds; which one to take is a trade between
repetition and validation loss, and both are printed.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
import torch.nn.functional as F

from data import Documents, Stream
from model import document_mask, rotate
from train import SETS, Validation, autocast, load_weights

EOS = 2
RUN = 4


@torch.no_grad()
def write(model, prompts, count, temperature):
    """Continues `prompts` [B, P] by `count` tokens with a cache; temperature [B], 0 takes the likeliest. [B, P + count]."""
    c, device = model.c, prompts.device
    B, P = prompts.shape
    keys = [torch.zeros(B, c.K, P + count, c.D, device=device) for _ in range(c.L)]
    values = [torch.zeros_like(k) for k in keys]
    out = prompts
    for t in range(P + count - 1):
        with autocast(device.type):
            x = model.embed(out[:, t:t + 1])
            cos, sin = model.cos[t:t + 1], model.sin[t:t + 1]
            for i, layer in enumerate(model.layers):
                h = layer.attn_norm(x)
                q = rotate(layer.q(h).view(B, 1, c.H, c.D).transpose(1, 2), cos, sin)
                keys[i][:, :, t:t + 1] = rotate(layer.k(h).view(B, 1, c.K, c.D).transpose(1, 2), cos, sin)
                values[i][:, :, t:t + 1] = layer.v(h).view(B, 1, c.K, c.D).transpose(1, 2)
                k, v = (s[i][:, :, :t + 1].repeat_interleave(c.H // c.K, 1) for s in (keys, values))
                a = (q.float() @ k.mT / c.D**0.5).softmax(-1) @ v
                x = x + layer.o(a.transpose(1, 2).reshape(B, 1, c.C))
                h = layer.ffn_norm(x)
                x = x + layer.down(F.silu(layer.gate(h)) * layer.up(h))
            logits = F.linear(model.norm(x), model.embed.weight)[:, 0].float()
        if t + 1 < P:
            continue
        best = logits.argmax(-1)
        drawn = torch.multinomial((logits / temperature.clamp_min(0.1)[:, None]).softmax(-1), 1)[:, 0]
        out = torch.cat([out, torch.where(temperature > 0, drawn, best)[:, None]], 1)
    return out


def alive(text):
    """[B, T] True up to and including the first end of text."""
    ended = (text == EOS).long().cumsum(1)
    return (ended - (text == EOS).long()) == 0


def repeats(text, prompt):
    """[B, T] True where a written token completes a run of RUN tokens that stands earlier in the same text."""
    key = text.clone()
    for n in range(1, RUN):
        key[:, n:] += text[:, :-n] * 4096**n
    key[:, :RUN - 1] = -1 - torch.arange(RUN - 1, device=text.device)
    T = text.shape[1]
    earlier = torch.ones(T, T, dtype=torch.bool, device=text.device).tril(-1)
    found = ((key[:, :, None] == key[:, None, :]) & earlier).any(-1)
    found[:, :prompt] = False
    return found & alive(text)


def openings(docs, source, length, count, rng):
    """The first `length` tokens of `count` documents."""
    usable = [i for i in range(len(docs)) if docs.source[i] == source and docs.form[i] == 0 and docs.tokens[docs.start[i]] == 1]
    chosen = [usable[int(k)] for k in torch.randint(len(usable), (count,), generator=rng)]
    return torch.stack([torch.from_numpy(docs.tokens[docs.start[i]:docs.start[i] + length].astype("int64")) for i in chosen])


def measure(model, valid, device, count):
    """Share of repeating tokens and of texts that end, written greedily and at temperature 0.8, from held-out openings."""
    model.eval()
    prompts = openings(valid, 1, 6, count, torch.Generator().manual_seed(5)).to(device)
    out = []
    for t in (0.0, 0.8):
        text = write(model, prompts, 220, torch.full((count,), t, device=device))
        live = alive(text)
        live[:, :6] = False
        out.append((float(repeats(text, 6).sum() / live.sum()), float((text == EOS).any(1).float().mean())))
    model.train()
    return out


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", required=True)
    args.add_argument("--start", required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--rounds", type=int, default=16)
    args.add_argument("--steps", type=int, default=15, help="steps a round")
    args.add_argument("--texts", type=int, default=384, help="texts written each round")
    args.add_argument("--rows", type=int, default=24, help="rows of real stories a step")
    args.add_argument("--lr", type=float, default=2e-4)
    args.add_argument("--strength", type=float, default=1.0)
    args.add_argument("--seconds", type=float, default=1e9)
    args.add_argument("--keep", default="4,8,12,16", help="rounds after which to keep the weights")
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    keep, began = {int(k) for k in args.keep.split(",")}, time.time()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(1)
    rng = torch.Generator().manual_seed(1)
    docs, valid = Documents(Path(args.data) / "train.npz"), Documents(Path(args.data) / "valid.npz")
    model, anchor = load_weights(args.start, device), load_weights(args.start, device).eval()
    width = model.c.context
    validation = Validation(valid, width, device)
    stream = Stream(docs, [4, 2, 2, 2], args.rows, width, 1, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0)
    zero = torch.zeros((), device=device)

    def report(round_):
        s = validation(model)
        (greedy, ends), (drawn, drawn_ends) = measure(model, valid, device, min(args.texts, 128))
        print(
            f"[{time.time() - began:4.0f} s] round {round_}: score {s['score']:.4f} valid/token {s['valid_per_token']:.4f} "
            f"per byte {s['per_byte'][0]:.4f} {s['per_byte'][1]:.4f} | repeating: greedy {greedy:.4f} (ends {ends:.2f}), "
            f"temperature 0.8 {drawn:.4f} (ends {drawn_ends:.2f})", flush=True,
        )

    report(0)
    step, total = 0, args.rounds * args.steps
    for round_ in range(1, args.rounds + 1):
        if time.time() - began > args.seconds:
            break
        length = int(torch.randint(4, 13, (1,), generator=rng))
        prompts = openings(docs, 0, length, args.texts, rng).to(device)
        # Half greedy, half drawn: loops must go, and whatever takes their place must not loop either.
        temperature = torch.where(torch.arange(args.texts, device=device) % 2 == 0, 0.0, 0.7)
        model.eval()
        text = write(model, prompts, 220, temperature)
        model.train()
        bad, live = repeats(text, length), alive(text)
        order = torch.randperm(args.texts, generator=rng)
        for n in range(args.steps):
            step += 1
            for g in optimizer.param_groups:
                g["lr"] = args.lr * min(step / 20, 1 - 0.9 * step / total)
            part = order[torch.arange(n * 96, n * 96 + 96) % args.texts]
            t, b, l = text[part], bad[part], live[part]
            ids, doc, target, _ = stream.next()
            with autocast(device):
                logits = model(ids, document_mask(doc), zero + 0.05)
                with torch.no_grad():
                    before = anchor(ids, document_mask(doc), zero).float().log_softmax(-1)
                written = model(t[:, :-1], document_mask(torch.zeros_like(t[:, :-1])), zero)
            mask = (target >= 0).float()
            now = logits.float().log_softmax(-1)
            held = ((before.exp() * (before - now)).sum(-1) * mask).sum() / mask.sum()
            hard = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=-100)
            p = written.float().softmax(-1).gather(2, t[:, 1:, None])[..., 0]
            unlikely = -(1 - p).clamp_min(1e-4).log() * b[:, 1:].float()
            unlikely = unlikely.sum() / l.float().sum()
            loss = held + 0.1 * hard + args.strength * unlikely
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        print(
            f"[{time.time() - began:4.0f} s] round {round_}: repeating {float(bad.sum() / live.sum()):.4f} "
            f"held {float(held):.4f} hard {float(hard):.4f} unlikely {float(unlikely):.4f}", flush=True,
        )
        if round_ in keep:
            report(round_)
            import numpy as np

            np.savez(
                args.out / f"polished-{round_}.npz", config=json.dumps(vars(model.c)),
                **{k: v.half().cpu().numpy() for k, v in model.state_dict().items()},
            )
    stream.stop()


if __name__ == "__main__":
    main()
