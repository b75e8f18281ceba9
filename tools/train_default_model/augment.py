"""Other forms of the same story, so that two megabytes of text can be read a hundred times.

Names change for other names of the same kind, the same one everywhere in a story; paragraphs are joined into one now and then,
because prompts come in both forms.
"""

import re

GIRLS = (
    "Lily Mia Anna Lucy Sarah Jane Sara Sue Daisy Molly Jill Lila Sally Mary Amy Jen Emma Jenny Elly Emily Sandy Susie Bella Cindy "
    "Polly Rosie Lisa Lola Ella Sophie Kate Alice Lizzie Chloe Julie Emmy Millie Nora Ruby Clara Maya Ellie"
).split()
BOYS = (
    "Ben Tom Timmy Jack Tim Sam Max John Bob Joe Billy Tommy Andy Benny Jake Jimmy Jim James Sammy Dave Danny Henry Pete Bobby Frank "
    "Peter Leo George Joey Alex Fred Mike Ted Charlie Oliver Toby Harry Paul"
).split()
_ALL = re.compile(r"\b(" + "|".join(GIRLS + BOYS) + r")\b")


def count_names(stories):
    counts = {n: 1 for n in GIRLS + BOYS}
    for s in stories:
        for n in set(_ALL.findall(s)):
            counts[n] += 1
    return counts


def rename(story, counts, rng, chance=0.8):
    """Each name of the story is exchanged with probability `chance`; common names stay common."""
    present = list(dict.fromkeys(_ALL.findall(story)))
    taken, new = set(present), {}
    for name in present:
        if rng.random() > chance:
            continue
        kind = GIRLS if name in GIRLS else BOYS
        pool = [n for n in kind if n not in taken]
        new[name] = rng.choices(pool, [counts[n] ** 0.75 for n in pool])[0]
        taken.add(new[name])
    return _ALL.sub(lambda m: new.get(m[1], m[1]), story)


def one_paragraph(story):
    return story.replace("\n", " ")
