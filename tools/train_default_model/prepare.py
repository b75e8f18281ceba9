"""Text to tokens: cleans the sources, trains the tokenizer, writes what train.py reads.

    python3 prepare.py --text <folder of sources> --out <folder>

Writes tokenizer.model, train.npz (tokens of every document in several forms) and valid.npz. Needs sentencepiece and numpy.
"""

import argparse
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import sentencepiece

import augment
import clean

VOCABULARY = 4096
BOS, EOS = 1, 2
CHUNK = 1022  # tokens of a document's piece; with BOS and EOS it fills the context
SOURCES = ["tiny_stories", "african_storybook", "fairytale_qa", "fairy_tales"]


def train_tokenizer(sources, path):
    """BPE with byte fallback in Llama's form: identity normalisation, a space before the first word, single digits."""
    lines = []
    for name, stories in sources.items():
        # The vocabulary should fit what the model is asked to write: simple stories count four times.
        for _ in range(4 if name == "tiny_stories" else 1):
            for s in stories:
                lines += s.split("\n")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(path.with_suffix("")),
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        character_coverage=0.9999,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        max_sentence_length=65536,
        unk_id=0,
        bos_id=BOS,
        eos_id=EOS,
        pad_id=-1,
        num_threads=1,
        minloglevel=1,
    )
    path.with_suffix(".vocab").unlink(missing_ok=True)


class Pieces:
    """Documents as token runs; a long document is cut at paragraphs, and only its first piece begins with BOS."""

    def __init__(self, sp):
        self.sp, self.runs, self.source, self.form, self.document, self.bytes = sp, [], [], [], [], []

    def add(self, text, source, form, document, dropout=0.0):
        def encode(t, first):
            kwargs = dict(enable_sampling=True, alpha=dropout) if dropout else {}
            ids = self.sp.encode(t if first else "\n" + t, **kwargs)
            # A later paragraph follows a newline token; the space that the tokenizer puts first is not there.
            return ids if first else ids[ids.index(self.newline):]

        ids, pieces = [BOS], []
        for n, paragraph in enumerate(text.split("\n")):
            more = encode(paragraph, n == 0)
            while len(ids) + len(more) > CHUNK:
                if len(ids) < CHUNK // 2:
                    room = CHUNK - len(ids)
                    ids, more = ids + more[:room], more[room:]
                pieces.append(ids)
                ids = []
            ids = ids + more
        pieces.append(ids + [EOS])
        for p in pieces:
            self.runs.append(np.array(p, np.uint16))
            self.source.append(source)
            self.form.append(form)
            self.document.append(document)
            self.bytes.append(len(text.encode()))

    @property
    def newline(self):
        return self.sp.piece_to_id("<0x0A>")

    def save(self, path):
        lengths = np.array([len(r) for r in self.runs], np.int64)
        np.savez(
            path,
            tokens=np.concatenate(self.runs),
            start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            source=np.array(self.source, np.uint8),
            form=np.array(self.form, np.uint8),
            document=np.array(self.document, np.int32),
            bytes=np.array(self.bytes, np.int64),
        )


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--text", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--forms", type=int, default=12, help="forms of each simple story")
    args = args.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    t = args.text
    sources = {
        "tiny_stories": clean.tiny_stories(t / "tinystories_v1_train_first2MB.txt", t / "tinystories_1000.json"),
        "african_storybook": clean.without_repeats(clean.african_storybook(t / "african_storybook_en_ccby.md"), []),
        "fairytale_qa": clean.without_repeats(clean.fairytale_qa(t / "fairytaleqa_stories.txt"), []),
    }
    # Many of the fairy tales stand in FairytaleQA too.
    sources["fairy_tales"] = clean.without_repeats(clean.fairy_tales(t / "fairy_tales_2MB.txt"), sources["fairytale_qa"])

    valid = [clean.plain(x) for x in open(t / "tinystories_valid_30K.txt", encoding="utf-8") if x.strip()]
    # The excerpt repeats some stories; the last one is whole.
    valid = clean.unique(valid)
    # Nothing may be trained on that shares a run of 13 words with them: one story had such a sentence.
    known = set()
    for v in valid:
        known |= clean.shingles(v, 13)
    dropped = 0
    for name, stories in sources.items():
        sources[name] = [s for s in stories if not clean.shingles(s, 13) & known]
        dropped += len(stories) - len(sources[name])

    held = {name: [] for name in sources}
    for name, stories in sources.items():
        step = 33 if name == "tiny_stories" else 30
        held[name] = stories[step // 2::step]
        sources[name] = [s for i, s in enumerate(stories) if i % step != step // 2]
    report = {
        name: {"documents": len(s), "bytes": sum(len(x.encode()) for x in s), "held_out_documents": len(held[name])}
        for name, s in sources.items()
    }
    report["valid"] = {"documents": len(valid), "bytes": sum(len(x.encode()) for x in valid), "training_stories_dropped": dropped}

    model = args.out / "tokenizer.model"
    train_tokenizer(sources, model)
    sp = sentencepiece.SentencePieceProcessor(str(model))
    counts = augment.count_names(sources["tiny_stories"])

    # Form 0 is the text as it is. Later forms of the simple stories differ in names and paragraphs; half of them are cut into
    # smaller pieces at random (BPE dropout), which teaches rare words their parts.
    train, document = Pieces(sp), 0
    for index, name in enumerate(SOURCES):
        for s in sources[name]:
            forms = args.forms if index == 0 else 4
            for form in range(forms):
                text = s
                if form and index == 0:
                    text = augment.rename(text, counts, rng)
                if form and rng.random() < (0.4 if index == 0 else 0.2):
                    text = augment.one_paragraph(text)
                train.add(text, index, form, document, dropout=0.05 if form % 2 else 0.0)
            document += 1
    train.save(args.out / "train.npz")
    out, document = Pieces(sp), 0
    for v in valid:
        out.add(v, 0, 0, document)
        document += 1
    for index, name in enumerate(SOURCES):
        for s in held[name]:
            out.add(s, index + 1, 0, document)
            document += 1
    out.save(args.out / "valid.npz")
    total = sum(len(r) for r, f in zip(train.runs, train.form) if f == 0)
    report["tokens_form_0"] = total
    report["tokens_all_forms"] = int(sum(len(r) for r in train.runs))
    (args.out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
