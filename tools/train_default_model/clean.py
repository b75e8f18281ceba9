"""Turns the source files into plain stories: a list of (source, text), paragraphs separated by one newline.

Every source has its own furniture: licence lines and page marks (African Storybook), headings, hard-wrapped lines and the
Project Gutenberg licence (fairy tales), broken quotation marks (TinyStories). What is left is ASCII quotes, no markup.
"""

import json
import re

_CHARACTERS = {
    "â€œ": '"', "â€™": "'", "â€˜": "'", "â€¦": "...", "â€“": " - ", "â€”": " - ",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "`": "'", "´": "'",
    "…": "...", "–": " - ", "—": " - ", "--": " - ", "\u00a0": " ", "\u200b": "", "\ufeff": "", "\u00ad": "",
    "_": "", "¡": "", "ï¿½": "",
}


def plain(text):
    for a, b in _CHARACTERS.items():
        text = text.replace(a, b)
    text = text.replace("â€", '"')  # a closing quotation mark whose last byte was lost
    text = re.sub(r"(?m)^([A-Z])([A-Z]+)((?: [A-Z]+)?) (?=[a-z])", opening_words, text)
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" - (?: ?- )+", " - ", text)
    text = re.sub(r"([a-z][.!?])([A-Z][a-z])", r"\1 \2", text)  # a lost space between sentences
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def opening_words(match):
    """"ONCE UPON a time": the first words of a chapter in capitals."""
    return match[1] + match[2].lower() + match[3].lower() + " "


def tiny_stories(path, path_json):
    """The JSON's stories are the first of the text file; whatever is not there already would be added."""
    raw = open(path, encoding="utf-8").read().split("<|endoftext|>")
    stories = [plain(s) for s in raw[:-1]]  # the last one is cut off by the end of the excerpt
    seen = {fingerprint(s) for s in stories + [plain(raw[-1])]}
    stories += [s for s in map(plain, json.load(open(path_json, encoding="utf-8"))) if fingerprint(s) not in seen]
    return unique([s for s in stories if len(s) >= 150 and complete(s)])


def complete(story):
    return story[-1] in '.!?"' and story.isascii()


def african_storybook(path):
    out = []
    for book in open(path, encoding="utf-8").read().split("<|endoftext|>"):
        book = re.split(r"(?m)^\* License", book)[0]
        pages = []
        for page in re.split(r"(?m)^##\s*$", book):
            lines = [x.strip() for x in page.strip().split("\n") if x.strip() and not x.startswith("#")]
            text = " ".join(lines)
            if re.match(r"(?i)(story notes?|notes?|questions?|glossary|activities|exercise|author|about)\b", text):
                break
            if text:
                pages.append(text)
        text = plain("\n".join(pages))
        # Picture books of single sentences and question sheets teach no story.
        long_enough = len(text) >= 500 and len(text) / max(1, text.count("\n") + 1) >= 45
        if long_enough and text.count("?") * 150 < len(text) and ascii_share(text) > 0.995 and text[-1] in '.!?"':
            out.append(text)
    return unique(out)


def ascii_share(text):
    return sum(c.isascii() for c in text) / len(text)


def fairytale_qa(path):
    stories = [unwrap(plain(s)) for s in open(path, encoding="utf-8").read().split("<|endoftext|>")]
    return unique([s for s in stories if len(s) > 300])


def unwrap(text):
    """Some stories keep the line ends of a printed page; a short line that ends a sentence ends a paragraph."""
    lines = text.split("\n")
    lengths = sorted(len(x) for x in lines)
    if len(lines) < 10 or lengths[len(lengths) * 9 // 10] > 90:
        return text
    out, wide = [], lengths[len(lengths) // 2] - 10
    for i, line in enumerate(lines):
        if i and not (len(lines[i - 1]) < wide and lines[i - 1][-1] in '.!?"'):
            out[-1] += " " + line
        else:
            out.append(line)
    return "\n".join(out)


def fairy_tales(path):
    """Tales under headings in capitals, hard-wrapped; the licence follows the last one."""
    text = open(path, encoding="utf-8-sig").read()
    text = text.split("*** END OF THE PROJECT GUTENBERG")[0].split("START: FULL LICENSE")[0]
    out, lines, paragraphs = [], [], []

    def paragraph():
        if lines:
            paragraphs.append(" ".join(lines))
            lines.clear()

    def tale():
        paragraph()
        t = plain("\n".join(paragraphs))
        paragraphs.clear()
        if len(t) > 300:
            out.append(t)

    for line in text.split("\n"):
        line = line.strip()
        if not line:
            paragraph()
        elif re.fullmatch(r"[A-Z0-9 ,.'’\-:;!()&\"]+", line) and re.search(r"[A-Z]{3}", line) and not lines:
            tale()
        else:
            lines.append(line)
    tale()
    return unique(out)


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def fingerprint(text):
    return "".join(words(text))[:160]


def unique(stories):
    seen, out = set(), []
    for s in stories:
        f = fingerprint(s)
        if f not in seen:
            seen.add(f)
            out.append(s)
    return out


def shingles(text, n):
    w = words(text)
    return {" ".join(w[i:i + n]) for i in range(len(w) - n + 1)}


def without_repeats(stories, known, n=8, share=0.2):
    """Stories less than `share` of whose n-word runs already stand in `known`."""
    seen = set()
    for s in known:
        seen |= shingles(s, n)
    out = []
    for s in stories:
        mine = shingles(s, n)
        if len(mine & seen) <= share * max(1, len(mine)):
            out.append(s)
            seen |= mine
    return out
