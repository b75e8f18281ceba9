#!/usr/bin/env python3
"""Fails on an include that points the wrong way, on a file above 800 lines and on a folder that is not in the table.

    python3 tools/check_layers.py            # the checkout this file is in
    python3 tools/check_layers.py FOLDER

One line a finding, file:line: message; exit status 1 if there is any.
"""

import re
import sys
from pathlib import Path

MAX_LINES = 800

# What each folder of src may include (itself always): the table of docs/design, bottom to top. CMakeLists.txt links
# the layers by the same rows.
LAYERS = {
    "base": [],
    "file": ["base"],
    "weights": ["base", "file"],
    "text": ["base"],
    "sample": ["base"],
    "graph": ["base"],
    "ops": ["base", "graph"],
    "blocks": ["base", "graph"],
    "models": ["base", "graph", "blocks", "weights"],
    "passes": ["base", "graph", "ops"],
    "plan": ["base", "graph", "ops"],
    "cpu": ["base", "graph", "ops", "plan"],
    "gpu": ["base", "graph", "ops", "plan"],
    "session": ["base", "file", "weights", "text", "sample", "graph", "ops", "blocks", "models", "passes", "plan",
                "cpu", "gpu"],
}
HOSTS = {"native": None, "web": ["base", "session"]}  # None: anything

# Written by a program: as long as their data.
GENERATED = {"src/text/unicode_tables.cc"}

SOURCE = {".cc", ".h", ".cpp", ".hpp", ".c", ".py", ".ts", ".js", ".wgsl"}
CHECKED = ["src", "include", "host", "packages", "apps", "tests", "bench", "fuzz", "oracle", "tools", "examples"]
SKIPPED = {"node_modules", "dist", "build", "__pycache__", ".deps"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def allowed(path):
    """(name of the folder, list of layers or None for any) of a file, or an error text."""
    parts = path.parts
    if parts[0] == "src":
        if len(parts) < 3:
            return None, "a file of src that is in no layer"
        if parts[1] not in LAYERS:
            return None, f"src/{parts[1]} is not in the table of tools/check_layers.py"
        return ("src/" + parts[1], LAYERS[parts[1]] + [parts[1]]), None
    if parts[0] == "include":
        return ("include", []), None
    if parts[0] == "host":
        if parts[1] not in HOSTS and len(parts) > 2:
            return None, f"host/{parts[1]} is not in the table of tools/check_layers.py"
        return ("host/" + parts[1], HOSTS.get(parts[1])), None
    return (parts[0], None), None


def findings(root):
    for top in CHECKED:
        for file in sorted((root / top).rglob("*")):
            path = file.relative_to(root)
            if not file.is_file() or file.suffix not in SOURCE or SKIPPED & set(path.parts):
                continue
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError as error:
                yield path, 1, f"not UTF-8: {error}"
                continue
            if len(lines) > MAX_LINES and str(path) not in GENERATED:
                yield path, MAX_LINES + 1, f"{len(lines)} lines, the limit is {MAX_LINES}"
            if file.suffix not in {".cc", ".h", ".cpp", ".hpp", ".c"}:
                continue
            rule, error = allowed(path)
            if error:
                yield path, 1, error
                continue
            folder, layers = rule
            if layers is None:
                continue
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match[1].split("/")[0]
                if "/" not in match[1] or target == "weft":
                    continue  # beside the file, or the public headers
                if target in LAYERS and target not in layers:
                    what = "nothing" if not layers else ", ".join(layers)
                    yield path, number, f'{folder} includes "{match[1]}"; it may include {what}'
                elif target not in LAYERS and folder.startswith("src/"):
                    yield path, number, f'{folder} includes "{match[1]}", which is no layer'


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    count = 0
    for path, line, message in findings(root):
        print(f"{path}:{line}: {message}")
        count += 1
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
