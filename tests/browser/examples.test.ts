// Each example is built as its package.json says and run.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { Built, desktop, Profile, root } from "./page_support.js";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 30_000 });
let built: Built | undefined;
let profile: Profile | undefined;

afterEach(async () => {
  await profile?.stop();
  built?.remove();
  built = profile = undefined;
});

async function open(example: string) {
  built = await Built.of(`examples/${example}`);
  profile = await Profile.start(desktop);
  return profile.open(await built.serve());
}

test("web_worker_less_five_lines tells a story", async () => {
  const page = await open("web_worker_less_five_lines");
  await expect.poll(() => page.textContent("#story"), { timeout: 30_000 }).toMatch(/\w+ \w+ \w+ \w+ \w+/);
  expect(profile!.failures).toEqual([]);
});

test("web_chat answers, is stopped, and says what is wrong", async () => {
  const page = await open("web_chat");
  await page.waitForSelector("#send:not([disabled])");
  await page.fill("#words", "Once upon a time");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.textContent("#state"), { timeout: 30_000 }).toMatch(/tokens\/s/);
  expect((await page.textContent(".assistant"))!.length).toBeGreaterThan(20);
  await page.goto(`${page.url()}?model=missing.gguf`);
  await expect.poll(() => page.textContent("#state"), { timeout: 30_000 }).toMatch(/missing\.gguf.*404.* – /);
  expect(profile!.failures).toEqual([]);
});

test("node_generate writes on, the same for the same seed, and ends with an error for a missing file", async () => {
  const run = (...words: string[]) => promisify(execFile)(process.execPath, [join(root, "examples/node_generate/main.js"), ...words]);
  const first = await run("--seed", "4", "--tokens", "40");
  expect(first.stdout).toMatch(/^Once upon a time\b.{40}/s);
  expect(first.stderr).toMatch(/first token after \d+ ms, \d+ tokens\/s, seed 4/);
  expect((await run("--seed", "4", "--tokens", "40")).stdout).toBe(first.stdout);
  await expect(run("missing.gguf")).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("missing.gguf") });
});

test("no example is longer than 100 lines, and none is left out here", () => {
  const tests = readFileSync(import.meta.filename, "utf8");
  const folder = join(root, "examples");
  for (const example of readdirSync(folder)) {
    if (!statSync(join(folder, example)).isDirectory()) continue;
    expect(tests, example).toContain(`test("${example} `);
    const files = readdirSync(join(folder, example)).filter((name) => /\.(js|html)$/.test(name));
    for (const file of files) expect(readFileSync(join(folder, example, file), "utf8").split("\n").length, file).toBeLessThan(100);
  }
});

test("docs/api.md is what the types say", async () => {
  await promisify(execFile)(process.execPath, [join(root, "tools/gen_api_docs.mjs"), "--check"]);
});
