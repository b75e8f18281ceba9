// Runs a WASM program of tests and ends with its status. Where: node, cpu (Chromium without a GPU), lavapipe, swiftshader.
//
//   node tests/browser/programs/run.mjs build/wasm-threads/…/test_gpu_cases.wasm lavapipe --gtest_filter='*/linear'
//
// A program that ran no test, or in which all were skipped, has failed.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { launch } from "../support/chromium.mjs";
import { serve } from "../support/server.mjs";
import { runProgram } from "./program.mjs";

const root = resolve(import.meta.dirname, "../../..");
const [file, where, ...rest] = process.argv.slice(2);
const args = [basename(file), ...rest];
const env = {};
for (const name of ["GTEST_FILTER", "WEFT_TEST_EVERY", "WEFT_TEST_LARGE", "WEFT_TEST_LONG"])
  if (process.env[name] !== undefined) env[name] = process.env[name];

// Programs know the checkout as /checkout.
const found = (path) => {
  const place = join(root, path.replace(/^\/checkout\//, ""));
  const inside = place.startsWith(`${root}/`) || place.startsWith(join(root, "../shared/data/"));
  return inside && path.startsWith("/checkout/") && existsSync(place) ? place : undefined;
};
const contentOf = (path, folder) => {
  const place = found(path);
  if (!place || statSync(place).isDirectory() !== folder) return undefined;
  return folder ? Buffer.from(readdirSync(place).map((name) => `${name}\n`).join("")) : readFileSync(place);
};

let printed = "";
const print = (text) => {
  printed = (printed + text).slice(-4000);
  process.stdout.write(text);
};

async function inNode() {
  let last;
  const files = {
    size: (path, folder) => (last = contentOf(path, folder))?.length ?? -1,
    read: () => last,
  };
  const module = await WebAssembly.compile(readFileSync(file));
  return runProgram({ module, args, env, files, print });
}

async function inChromium() {
  const server = await serve((path, query) => {
    if (path === "/checkout-files") return contentOf(query.get("path"), query.get("folder") === "true");
    if (path === "/program.wasm") return readFileSync(file);
    if (path === "/") return `<!doctype html><script type="module" src="/tests/browser/programs/page.mjs"></script>`;
    return undefined;
  });
  const browser = await launch(where === "cpu" ? "none" : where, { args: ["--enable-webgpu-developer-features"] }); // names
  try {
    const page = await browser.context.newPage();
    page.on("console", (message) => message.type() === "error" && console.log(`console: ${message.text()}`));
    page.on("pageerror", (error) => console.log(`page: ${error.stack}`));
    page.on("crash", () => {
      console.log("the tab crashed");
      process.exit(134);
    });
    await page.exposeFunction("weftPrint", (text) => print(`${text}\n`));
    await page.goto(server.origin);
    await page.waitForFunction(() => "weftRun" in window);
    if (where !== "cpu") env.WEFT_TEST_GPU = where;
    return await page.evaluate(([...given]) => window.weftRun(...given), ["/program.wasm", where !== "cpu", args, env]);
  } finally {
    await browser.close();
    server.close();
  }
}

const status = await (where === "node" ? inNode() : inChromium());
const ran = /\[  PASSED  \] [1-9]\d* test/.test(printed);
if (!ran && status === 0) console.log("no test ran");
process.exit(status || (ran ? 0 : 1));
