#!/usr/bin/env python3
"""Writes src/text/unicode_tables.cc from Debian's package unicode-data (Unicode Character Database 15.0).

    tools/gen_unicode.py > src/text/unicode_tables.cc

Format of the tables: src/text/unicode_tables.h. Sources, as described by UAX #44: UnicodeData.txt,
CompositionExclusions.txt, DerivedCoreProperties.txt, SpecialCasing.txt; only the standard library is needed.
"""
import sys

UCD = "/usr/share/unicode/"
CATEGORIES = ["Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
              "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"]
END = 0x110000
LOWER, TITLE, UPPER = range(3)


def rows(name):
    for line in open(UCD + name, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line:
            yield [field.strip() for field in line.split(";")]


def codes(text):
    return [int(word, 16) for word in text.split()]


class Data:
    def __init__(self):
        self.category = ["Cn"] * END
        self.combining, self.digits, self.numerics = {}, set(), set()
        self.case = [{}, {}, {}]  # by LOWER, TITLE, UPPER; simple mappings
        self.decomposition = {}  # code: (compatibility, characters)
        first = 0
        for f in rows("UnicodeData.txt"):
            code = int(f[0], 16)
            if f[1].endswith("First>"):
                first = code
                continue
            for c in range(first if f[1].endswith("Last>") else code, code + 1):
                self.category[c] = f[2]
            if int(f[3]):
                self.combining[code] = int(f[3])
            if f[5]:
                compat = f[5].startswith("<")
                self.decomposition[code] = (compat, codes(f[5].split(">")[-1]))
            if f[7]:
                self.digits.add(code)
            if f[8]:
                self.numerics.add(code)
            for kind, column in ((UPPER, 12), (LOWER, 13), (TITLE, 14)):
                if f[column]:
                    self.case[kind][code] = int(f[column], 16)
        self.excluded = {int(f[0], 16) for f in rows("CompositionExclusions.txt")}
        self.cased = {"Uppercase": set(), "Lowercase": set()}
        for f in rows("DerivedCoreProperties.txt"):
            if f[1] in self.cased:
                ends = [int(x, 16) for x in f[0].split("..")]
                self.cased[f[1]].update(range(ends[0], ends[-1] + 1))
        # Rows of six columns depend on the language or the context.
        self.special = [(int(f[0], 16), kind, codes(f[1 + kind])) for f in rows("SpecialCasing.txt")
                        if len(f) <= 5 or not f[4] for kind in (LOWER, TITLE, UPPER) if len(codes(f[1 + kind])) > 1]

    def of_category(self, *names):
        return {c for c in range(END) if self.category[c] in names}


def varint(value):
    out = []
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return out + [value]


def signed(value):
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def stream(entries):
    return varint(len(entries)) + [byte for entry in entries for byte in entry]


def categories(data):
    entries, begin = [], 0
    for c in range(1, END + 1):
        if c == END or data.category[c] != data.category[begin]:
            length, kind = c - begin, CATEGORIES.index(data.category[begin])
            entries.append([kind | length << 5] if length < 8 else [kind] + varint(length))
            begin = c
    return stream(entries)


def runs(mapping):
    found = []  # [first, last, step, value]
    for code in sorted(mapping):
        value = mapping[code]
        if found:
            run = found[-1]
            step = code - run[1]
            if run[3] == value and step in (1, 2) and run[2] in (0, step):
                run[1], run[2] = code, step
                continue
        found.append([code, code, 0, value])
    entries, before = [], 0
    for first, last, step, value in found:
        step = step or 1
        entries.append(varint(first - before) + varint((last - first) // step * 2 + step - 1) + signed(value))
        before = last
    return stream(entries)


def case_runs(mapping):
    return runs({code: to - code for code, to in mapping.items()})


def decompositions(data):
    entries, before, near = [], 0, [0] * 32
    for code in sorted(data.decomposition):
        compat, text = data.decomposition[code]
        # Primary composites: canonical pairs that are neither excluded nor start with a mark (UAX #15, D114).
        composes = (not compat and len(text) == 2 and code not in data.excluded and
                    not data.combining.get(code) and not data.combining.get(text[0]))
        entry = varint(code - before) + [len(text) << 2 | composes << 1 | compat]
        for i, c in enumerate(text):
            entry += signed(c - near[i])
            near[i] = c
        entries.append(entry)
        before = code
    return stream(entries)


def special_cases(data):
    entries, before = [], 0
    for code, kind, text in sorted(data.special):
        entries.append(varint(code - before) + [len(text) << 2 | kind] + [b for c in text for b in signed(c - code)])
        before = code
    return stream(entries)


def array(name, values):
    out, line = [f"const uint8_t {name}[] = {{"], ""
    for v in values:
        if len(line) > 290:
            out.append(line)
            line = ""
        line += f"{v},"
    return out + [line, "};", ""]


def main():
    data = Data()
    flag = dict.fromkeys
    upper, title = data.case[UPPER], data.case[TITLE]
    out = ["// Generated by tools/gen_unicode.py from the Unicode Character Database 15.0. Do not edit.",
           "// clang-format off", '#include "text/unicode_tables.h"', "", "namespace weft::unicode_tables {", ""]
    out += array("kCategories", categories(data))
    out += array("kCombining", runs(data.combining))
    out += array("kLower", case_runs(data.case[LOWER]))
    out += array("kUpper", case_runs(upper))
    out += array("kTitle", case_runs({c: to for c, to in title.items() if upper.get(c) != to}))
    out += array("kSpecialCases", special_cases(data))
    decimals = data.of_category("Nd")
    assert decimals <= data.digits
    out += array("kDigits", runs(flag(data.digits - decimals, 1)))
    numbers = data.of_category("Nd", "Nl", "No")
    assert numbers <= data.numerics
    out += array("kNumerics", runs(flag(data.numerics - numbers, 1)))
    for name, letters, letter in (("kOtherUpper", "Uppercase", "Lu"), ("kOtherLower", "Lowercase", "Ll")):
        assert data.of_category(letter) <= data.cased[letters]
        out += array(name, runs(flag(data.cased[letters] - data.of_category(letter), 1)))
    out += array("kDecompositions", decompositions(data))
    out.append("}  // namespace weft::unicode_tables")
    sys.stdout.write("\n".join(out) + "\n")


main()
