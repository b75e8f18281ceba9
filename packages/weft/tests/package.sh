#!/bin/bash
# The package as users get it: packed, installed into an empty Vite project and an empty Node project, and the README's
# first lines run there: under `vite`, from `vite build`, in Node with types checked. Needs the npm registry and Chromium.
#
#   packages/weft/tests/package.sh          after npm run build -w weft
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; }
trap 'stop; rm -rf "$work"' EXIT
npm_() { npm --no-audit --no-fund --loglevel=error "$@"; }

(cd "$root/packages/weft" && npm_ pack --ignore-scripts --silent --pack-destination "$work" >/dev/null)
tarball=$(ls "$work"/weft-*.tgz)
echo "package: $(stat -c %s "$tarball") bytes packed"
lines=$(sed -n '/^```js$/,/^```$/p' "$root/packages/weft/README.md" | sed '1d;/^```$/,$d')
[ "$(wc -l <<<"$lines")" = 5 ] || { echo "the README's first example has not five lines"; exit 1; }
model=$root/models/weft-stories-7m-q8_0.gguf

mkdir -p "$work/node" && cd "$work/node"
echo '{ "type": "module" }' >package.json
npm_ install "$tarball" typescript@5 @types/node@20 >/dev/null
ln -s "$model" model.gguf
echo "$lines" >main.mjs
node main.mjs >out.txt
[ "$(wc -l <out.txt)" -gt 20 ] || { echo "Node: too little text:"; cat out.txt; exit 1; }
cp main.mjs main.mts
npx tsc --noEmit --strict --target es2022 --module nodenext --lib es2022,dom main.mts
echo "Node: $(tr -d '\n' <out.txt | cut -c1-60)… and its types are sound"

mkdir -p "$work/vite/public" && cd "$work/vite"
echo '{ "type": "module" }' >package.json
npm_ install "$tarball" vite@8 >/dev/null
ln -s "$model" public/model.gguf
echo '<!doctype html><script type="module" src="/main.js"></script>' >index.html
{ echo "$lines"; echo 'console.log("all is said");'; } >main.js
visit() {
  for _ in $(seq 100); do curl -so /dev/null "$1" && break; sleep 0.2; done
  node --input-type=module - "$1" "$root" <<'JS'
import { createRequire } from "node:module";
const [url, root] = process.argv.slice(2);
const { chromium } = createRequire(root + "/package.json")("playwright-core");
const executablePath = process.env.WEFT_CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, headless: false, args: ["--headless=new", "--no-sandbox"] });
const page = await browser.newPage();
const said = [];
page.on("pageerror", (e) => said.push(`error: ${e.message}`));
page.on("console", (m) => m.type() === "log" && said.push(m.text()));
await page.goto(url);
for (let i = 0; i < 900 && !said.some((s) => s === "all is said" || s.startsWith("error")); ++i) await new Promise((r) => setTimeout(r, 100));
await browser.close();
const text = said.slice(0, -1).join("");
if (said.at(-1) !== "all is said" || said.length < 20) throw new Error(`the page said: ${said.join("|")}`);
console.log(text.slice(0, 60) + "…");
JS
}
node_modules/.bin/vite --port 5871 --strictPort >dev.log 2>&1 & server=$!
said=$(visit http://localhost:5871/)
echo "vite: $said"
stop
node_modules/.bin/vite build >build.log 2>&1 || { cat build.log; exit 1; }
node_modules/.bin/vite preview --port 5872 --strictPort >preview.log 2>&1 & server=$!
said=$(visit http://localhost:5872/)
echo "vite build: $said"
