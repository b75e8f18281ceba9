// Draws docs/images from the built page: node apps/playground/tools/screenshots.mjs [MODEL.gguf]
//
// MODEL is the one whose download is shown; a file of some 100 MB looks right. Without it that picture is left as it is.
import { createReadStream, mkdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./serve.mjs";

const folder = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const large = process.argv[2];
const rate = 9e6; // bytes a second of the download that is shown
const pageOf = serve(fileURLToPath(new URL("../dist", import.meta.url)));

const server = createServer((request, response) => {
  if (!large || request.url !== `/${basename(large)}`) return pageOf(request, response);
  const { size } = statSync(large);
  const from = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const to = Number(/-(\d+)$/.exec(request.headers.range ?? "")?.[1] ?? size - 1);
  response.writeHead(request.headers.range ? 206 : 200, { ETag: '"1"', "Content-Length": to - from + 1, "Content-Range": `bytes ${from}-${to}/${size}` });
  if (request.method === "HEAD") return response.end();
  (async () => {
    for await (const chunk of createReadStream(large, { start: from, end: to, highWaterMark: 256 << 10 })) {
      response.write(chunk);
      await wait((chunk.length / rate) * 1000);
    }
    response.end();
  })();
}).listen(0);
const url = `http://localhost:${server.address().port}/`;
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.WEFT_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
async function open(colorScheme, width, height, settings = {}, more = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, ...more });
  const page = await context.newPage();
  await page.addInitScript((chosen) => localStorage.setItem("weft-playground", JSON.stringify(chosen)), { seed: 12, ...settings });
  await page.goto(url);
  await page.waitForSelector("#why:not([hidden])");
  await page.evaluate(() => document.fonts.ready);
  return page;
}
const over = (page) => page.waitForSelector("#turns .turn.model:last-child:not(.running) .after");
const save = (page, name) => page.screenshot({ path: `${folder}${name}.png` });
const say = async (page, text) => {
  await page.fill("#words", text);
  await page.press("#words", "Enter");
};

let page = await open("light", 1160, 740, { maxTokens: 90 });
await say(page, "Once upon a time, there was a small fox who");
await over(page);
await page.click(".after summary");
await page.click("#why");
await page.waitForSelector("#pane-device >> text=Page isolated");
await save(page, "playground-answer-device");

page = await open("dark", 1160, 740, { mode: "write", maxTokens: 150, seed: 3 });
await say(page, "The old robot woke up and said,");
await page.waitForFunction(() => document.querySelector(".turn.model .said")?.textContent.length > 300, null, { polling: 10 });
await save(page, "playground-writing-dark");

if (large) {
  page = await open("light", 1160, 740);
  await page.fill("#address", url + basename(large));
  await page.press("#address", "Enter");
  await wait(5000);
  await save(page, "playground-download");
}

page = await open("dark", 1160, 740);
const builtIn = await page.evaluate(() => performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".gguf")).name);
await page.fill("#address", builtIn);
await page.press("#address", "Enter");
await page.waitForSelector("#pane-model >> text=Back to");
await page.fill("#address", `${url}stories-of-tomorrow.gguf`);
await page.press("#address", "Enter");
await page.waitForSelector(".trouble-card");
await page.click("#tab-storage");
await page.waitForSelector(".kept");
await save(page, "playground-error-storage");

const touch = { hasTouch: true, isMobile: true, deviceScaleFactor: 1.5 };
page = await open("light", 390, 844, {}, touch);
await save(page, "playground-phone");
page = await open("dark", 390, 844, { maxTokens: 400, seed: 3 }, touch);
await page.tap("#openings button");
await page.waitForFunction(() => document.querySelector(".turn.model .said")?.textContent.length > 180, null, { polling: 10 });
await save(page, "playground-phone-answer");
await browser.close();
server.close();
