// Draws the PNG icons from icon.svg with the browser that the tests use: npm run icons
import { readFileSync, writeFileSync } from "node:fs";
import { chromium } from "playwright-core";

const folder = new URL("../public/icons/", import.meta.url);
const svg = readFileSync(new URL("icon.svg", folder), "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
// Maskable: launchers cut it to any shape, so the drawing keeps to the middle and the colour fills the square.
for (const [name, size, maskable] of [["icon-180", 180, true], ["icon-192", 192, false], ["icon-512", 512, false], ["icon-maskable-512", 512, true]]) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const drawing = maskable ? svg.replace(' rx="7"', "").replace("<g ", '<g transform="translate(4.8 4.8) scale(.7)" ') : svg;
  await page.setContent(`<style>*{margin:0}svg{display:block;width:100vw;height:100vh}</style>${drawing}`);
  writeFileSync(new URL(`${name}.png`, folder), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
