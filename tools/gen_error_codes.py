#!/usr/bin/env python3
"""Writes packages/weft/src/error_codes.ts from src/base/errors.def; --check only compares.

    tools/gen_error_codes.py            write
    tools/gen_error_codes.py --check    exit status 1 if the file is not up to date
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "src/base/errors.def"
OUT = ROOT / "packages/weft/src/error_codes.ts"
ROW = re.compile(r'^WEFT_ERROR\((\w+), "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)", "((?:[^"\\]|\\.)*)"\)$')


def text(literal):
    return json.loads(f'"{literal}"')


def main():
    rows = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line.startswith("//") or not line:
            continue
        match = ROW.match(line)
        if not match:
            sys.exit(f"{TABLE}:{number}: expected a row WEFT_ERROR(name, \"name\", \"meaning\", \"way out\"), found {line}")
        rows.append([text(cell) for cell in match.groups()[1:]])
    # Programs have options where the package has properties.
    rows = [[name, meaning, hint.replace("--device cpu", 'device: "cpu"').replace("--ctx N", "context")
             .replace("--ctx", "context").replace("--template", "the option template")] for name, meaning, hint in rows]
    out = ["// Written by tools/gen_error_codes.py from src/base/errors.def: do not edit.", ""]
    out += ["/** What went wrong, by name; the same names as of the C interface and the program (docs/errors.md). */"]
    out += ["export type WeftErrorCode ="]
    for name, meaning, _ in rows[1:]:
        out += [f"  /** {meaning} */", f"  | {json.dumps(name)}"]
    out[-1] += ";"
    out += ["", "/** Every code at the number that the core gives it, with its usual way out. */"]
    out += ["export const errorTable: readonly { readonly code: WeftErrorCode | \"ok\"; readonly hint: string }[] = ["]
    out += [f"  {{ code: {json.dumps(name)}, hint: {json.dumps(hint, ensure_ascii=False)} }}," for name, _, hint in rows]
    out += ["];", ""]
    wanted = "\n".join(out)
    if "--check" not in sys.argv[1:]:
        OUT.write_text(wanted)
    elif not OUT.exists() or OUT.read_text() != wanted:
        sys.exit(f"{OUT.relative_to(ROOT)} is not what src/base/errors.def says: run tools/gen_error_codes.py")


if __name__ == "__main__":
    main()
