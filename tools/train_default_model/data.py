"""Token documents packed into rows, several to a row, without cutting any."""

import queue
import random
import threading

import numpy as np
import torch

PAD = 0


class Documents:
    def __init__(self, path):
        z = np.load(path)
        self.tokens, self.start = z["tokens"], z["start"]
        self.source, self.form, self.document, self.bytes = z["source"], z["form"], z["document"], z["bytes"]
        self.length = np.diff(self.start)

    def __len__(self):
        return len(self.length)


def pack(lengths, order, width):
    """Rows of piece numbers, each at most `width` tokens: first fit over the rows still open."""
    rows, open_rows = [], []
    for i in order:
        n = int(lengths[i])
        for entry in open_rows:
            if entry[0] >= n:
                entry[0] -= n
                entry[1].append(i)
                if entry[0] < 24:
                    open_rows.remove(entry)
                break
        else:
            row = [i]
            rows.append(row)
            open_rows.append([width - n, row])
            if len(open_rows) > 48:
                open_rows.pop(0)
    return rows


def fill(docs, rows, width):
    """ids, document numbers, targets (-100: none) and positions in docs.tokens (-1: none), each [rows, width]."""
    shape = (len(rows), width)
    ids, doc = np.full(shape, PAD, np.int64), np.full(shape, -1, np.int64)
    target, where = np.full(shape, -100, np.int64), np.full(shape, -1, np.int64)
    for r, row in enumerate(rows):
        at = 0
        for i in row:
            a, b = docs.start[i], docs.start[i + 1]
            n = int(b - a)
            t = docs.tokens[a:b].astype(np.int64)
            ids[r, at:at + n], doc[r, at:at + n] = t, at
            target[r, at:at + n - 1] = t[1:]
            where[r, at:at + n - 1] = np.arange(a, b - 1)
            at += n
    return ids, doc, target, where


class Stream:
    """Endless batches. A cycle reads every source as often as `mix` says (fractions: a random part), each document in one
    of its forms, in random order."""

    def __init__(self, docs, mix, rows, width, seed, device, forms=None, soft=None):
        self.docs, self.mix, self.rows, self.width, self.device, self.soft = docs, mix, rows, width, device, soft
        self.forms = forms
        self.rng = random.Random(seed)
        self.by_document = {}
        for i in range(len(docs)):
            if forms is None or docs.form[i] < forms:
                self.by_document.setdefault((int(docs.source[i]), int(docs.document[i])), {}).setdefault(
                    int(docs.form[i]), []
                ).append(i)
        self.queue, self.stopped = queue.Queue(4), False
        threading.Thread(target=self._run, daemon=True).start()

    def _cycle(self):
        order = []
        for (source, _), forms in self.by_document.items():
            times = self.mix[source]
            times = int(times) + (self.rng.random() < times % 1)
            for form in self.rng.sample(sorted(forms), min(times, len(forms))):
                order += forms[form]
        self.rng.shuffle(order)
        return pack(self.docs.length, order, self.width)

    def _run(self):
        left = []
        while not self.stopped:
            left += self._cycle()
            self.rng.shuffle(left)
            while len(left) >= self.rows and not self.stopped:
                batch, left = left[:self.rows], left[self.rows:]
                arrays = [torch.from_numpy(a) for a in fill(self.docs, batch, self.width)]
                if self.device == "cuda":
                    arrays = [a.pin_memory() for a in arrays]
                while not self.stopped:
                    try:
                        self.queue.put(arrays, timeout=0.2)
                        break
                    except queue.Full:
                        pass

    def next(self):
        return [a.to(self.device, non_blocking=True) for a in self.queue.get()]

    def stop(self):
        self.stopped = True
