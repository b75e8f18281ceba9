// The playground as people meet it: the first answer, no connection, plain hosts, keyboard, names, small screens, errors.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { Built, desktop, model, phone, Profile, root, type Screen } from "./page_support.js";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });
let built: Built;
let url: string;
let profile: Profile;

beforeAll(async () => {
  built = await Built.of("apps/playground");
  url = await built.serve();
});
afterAll(() => built?.remove());

async function start(screen: Screen = desktop): Promise<Page> {
  profile = await Profile.start(screen);
  return profile.open(url);
}
beforeEach(() => void (profile = undefined!));
afterEach(async () => {
  const failures = profile?.failures ?? [];
  await profile?.stop();
  expect(failures).toEqual([]);
});

const ready = (page: Page) => page.waitForSelector("#why:not([hidden])");
const over = (page: Page) => page.waitForSelector("#turns .turn.model:last-child:not(.running) .after");
const answer = async (page: Page) => {
  await over(page);
  return (await page.textContent("#turns .turn.model:last-child .said")) ?? "";
};
const say = async (page: Page, text: string) => {
  await page.fill("#words", text);
  await page.press("#words", "Enter");
};

describe("an answer", () => {
  for (const [name, screen] of [["desktop", desktop], ["phone", phone]] as const)
    test(`comes within 5 s of opening the page (${name})`, async () => {
      let page!: Page;
      let first = Infinity;
      // A machine that does other things, too, gets three tries, each with an empty profile.
      for (let i = 0; i < 3 && first >= 5000; i++) {
        await profile?.stop();
        profile = await Profile.start(screen);
        const before = performance.now();
        page = await profile.open(url);
        await page.click("#openings button");
        await page.waitForFunction(() => (document.querySelector(".turn.model .said")?.textContent ?? "") !== "", null, { polling: 20 });
        first = performance.now() - before;
        console.log(`first token after ${Math.round(first)} ms (${name})`);
      }
      expect(first).toBeLessThan(5000);
      expect((await answer(page)).length).toBeGreaterThan(20);
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await page.textContent(".after summary")).toMatch(/tokens\/s · first after .* · \d+ tokens?/);
      expect(await page.textContent("#reading")).toMatch(/\d/);
    });

  test("is the same for the same seed, differs without, and settings outlive the page", async () => {
    const page = await start();
    await ready(page);
    await page.click("#tab-settings");
    await page.fill("#set-seed", "7");
    await page.fill("#set-maxTokens", "30");
    await page.keyboard.press("Tab");
    await say(page, "Once upon a time");
    const first = await answer(page);
    await page.reload({ waitUntil: "commit" });
    await ready(page);
    await say(page, "Once upon a time");
    expect(await answer(page)).toBe(first);
    await page.click("#tab-settings");
    expect(await page.inputValue("#set-seed")).toBe("7");
    await page.fill("#set-seed", "8");
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Another" }).click();
    await expect.poll(() => page.textContent("#turns .turn.model:last-child .said")).not.toBe(first);
  });

  test("goes on in the same text in the other mode, and a new page is empty", async () => {
    const page = await start();
    await ready(page);
    await page.click("text=Write on");
    await say(page, "Once upon a time");
    await over(page);
    await page.click("#send");
    await expect.poll(() => page.locator("#turns .turn").count()).toBe(3);
    await over(page);
    expect(await page.textContent("#turns .turn.person .said")).toBe("Once upon a time");
    await page.click("#fresh");
    expect(await page.locator("#turns .turn").count()).toBe(0);
    expect(await page.isVisible("#welcome")).toBe(true);
  });

  test("is stopped by Escape, and what there is of it stays", async () => {
    const page = await start();
    await ready(page);
    await page.click("#tab-settings");
    await page.fill("#set-maxTokens", "900");
    await page.fill("#set-temperature", "0");
    await page.keyboard.press("Tab");
    await say(page, "One day, a dog");
    await page.waitForFunction(() => (document.querySelector(".turn.model .said")?.textContent?.length ?? 0) > 20, null, { polling: 10 });
    await page.press("#words", "Escape");
    expect((await answer(page)).length).toBeGreaterThan(20);
    await page.click(".after summary");
    expect(await page.textContent(".after")).toContain("you stopped it");
  });

  test("is told to screen readers in sentences, not in tokens", async () => {
    const page = await start();
    await ready(page);
    await page.evaluate(() => {
      const seen: number[] = [];
      Object.assign(window, { seen });
      new MutationObserver((records) => seen.push(records.length)).observe(document.getElementById("spoken")!, { childList: true });
    });
    await say(page, "Once upon a time");
    const text = await answer(page);
    const spoken = (await page.locator("#spoken p").allTextContents()).join(" ");
    expect(spoken).toContain(text.trim().slice(0, 20));
    expect(spoken).toMatch(/End of the answer, \d+ tokens?\./);
    expect(await page.evaluate(() => (window as never as { seen: number[] }).seen.length)).toBeLessThan(8);
    expect(await page.locator("#thread [aria-live], #turns [role=status]").count()).toBe(0);
  });
});

describe("without a connection", () => {
  test("a page that was open once still answers, and is still isolated", async () => {
    const page = await start();
    await ready(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await profile.context.setOffline(true);
    await page.reload({ waitUntil: "commit" });
    await say(page, "The old robot");
    expect((await answer(page)).length).toBeGreaterThan(20);
    expect(await page.evaluate(() => [crossOriginIsolated, !!navigator.serviceWorker.controller])).toEqual([true, true]);
    expect(await page.evaluate(() => document.fonts.check("16px Literata"))).toBe(true);
  });

  test("a host that sends no headers is enough for an isolated page", async () => {
    profile = await Profile.start(desktop);
    const page = await profile.open(await built.serve({ isolation: false }));
    await expect.poll(() => page.evaluate(() => crossOriginIsolated).catch(() => false), { timeout: 30_000 }).toBe(true);
    await ready(page);
    await say(page, "Once upon a time");
    expect((await answer(page)).length).toBeGreaterThan(20);
  });

  test("the manifest and its icons are there", async () => {
    const page = await start();
    const manifest = await page.evaluate(async () => (await fetch("manifest.webmanifest")).json());
    expect(manifest).toMatchObject({ display: "standalone", start_url: "./" });
    for (const { src, type } of manifest.icons as { src: string; type: string }[]) {
      const answer = await page.evaluate(async (file) => {
        const response = await fetch(file);
        return [response.status, response.headers.get("content-type")];
      }, src);
      expect(answer).toEqual([200, type]);
    }
  });
});

describe("models of the person", () => {
  test("come from a file, are dropped, and without a template they only write on", async () => {
    const page = await start();
    await ready(page);
    const plain = Buffer.from(readFileSync(model).toString("latin1").replace("tokenizer.chat_template", "tokenizer.chat_temqlate"), "latin1");
    await page.setInputFiles("#files", { name: "no-template.gguf", mimeType: "application/octet-stream", buffer: plain });
    await expect.poll(() => page.isDisabled('input[value="chat"]')).toBe(true);
    expect(await page.textContent("#welcome-note")).toContain("does not chat");
    await say(page, "Once upon a time");
    await over(page);
    const drop = await page.evaluateHandle(async () => {
      const url = performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".gguf"))!.name;
      const transfer = new DataTransfer();
      transfer.items.add(new File([await (await fetch(url)).arrayBuffer()], "dropped.gguf"));
      return transfer;
    });
    await page.dispatchEvent("body", "dragenter", { dataTransfer: drop });
    expect(await page.isVisible("#drop")).toBe(true);
    await page.dispatchEvent("body", "drop", { dataTransfer: drop });
    expect(await page.isVisible("#drop")).toBe(false);
    await expect.poll(() => page.isDisabled('input[value="chat"]')).toBe(false);
  });

  test("come from an address, are listed with their size and are deleted", async () => {
    const page = await start();
    await ready(page);
    const address = await page.evaluate(() => performance.getEntriesByType("resource").find(({ name }) => name.endsWith(".gguf"))!.name);
    await page.fill("#address", address);
    await page.press("#address", "Enter");
    await page.waitForSelector("#pane-model >> text=Back to Weft Stories 7M");
    await page.click("#tab-storage");
    await page.waitForSelector(".kept >> text=7.9 MB");
    expect(await page.textContent("#pane-storage")).toMatch(/1 model, 7.9 MB; this site uses .* that the browser grants/);
    await page.getByRole("button", { name: /^Delete weft-stories/ }).click();
    await expect.poll(() => page.textContent("#pane-storage")).toMatch(/None yet|in use/);
  });

  test("that do not load say why and how to go on", async () => {
    const page = await start();
    await ready(page);
    await page.fill("#address", new URL("missing.gguf", url).href);
    await page.press("#address", "Enter");
    const card = page.locator(".trouble-card");
    await card.waitFor();
    expect(await card.textContent()).toMatch(/missing\.gguf could not be loaded.*HTTP 404.*Check the spelling/);
    await card.getByRole("button", { name: "Back to Weft Stories 7M" }).click();
    await ready(page);
    expect(await card.count()).toBe(0);
  });
});

describe("everybody can use it", () => {
  const controls = "button, input, select, textarea, summary, [role=tab], [role=tabpanel], a[href]";

  test("every control has a name and every picture too", async () => {
    const page = await start();
    await ready(page);
    await say(page, "Once upon a time");
    await over(page);
    for (const tab of ["model", "device", "settings", "storage"]) {
      await page.click(`#tab-${tab}`);
      const nameless = await page.evaluate((selector) => [...document.querySelectorAll<HTMLElement>(selector)].filter((element) => {
        const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("");
        const labels = [...((element as HTMLInputElement).labels ?? [])].map((label) => label.textContent).join("");
        const name = element.getAttribute("aria-label") || by || labels || (element.matches("button, summary, a, [role=tab]") ? element.textContent : "");
        return !name?.trim() && element.getAttribute("aria-hidden") !== "true";
      }).map((element) => element.outerHTML), controls + ", svg[role=img], progress, meter");
      expect(nameless).toEqual([]);
    }
    expect(await page.evaluate(() => ["header", "main", "aside", "h1"].map((name) => document.querySelectorAll(name).length))).toEqual([1, 1, 1, 1]);
    expect(await page.evaluate(() => { const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id); return ids.length - new Set(ids).size; })).toBe(0);
  });

  test("Tab reaches everything in the order of the page, and shows where it is", async () => {
    const page = await start();
    await ready(page);
    await page.focus(".skip");
    const order: string[] = [];
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement;
        const shown = element.matches("input[type=radio]") ? element.nextElementSibling! : element;
        const { outlineStyle, outlineWidth } = getComputedStyle(shown);
        const name = element.id || element.getAttribute("value") || element.textContent || element.tagName;
        return element === document.body ? "" : outlineStyle === "none" || outlineWidth === "0px" ? `${name} (not seen)` : name.trim();
      });
      if (!at || order.includes(at)) break;
      order.push(at);
    }
    expect(order.filter((name) => name.includes("not seen"))).toEqual([]);
    const places = ["chat", "fresh", "theme", "open-panel", "thread", "words", "send", "why", "tab-model", "pane-model", "address"];
    expect(order.filter((name) => places.includes(name))).toEqual(places);
  });

  test("tabs follow the arrow keys", async () => {
    const page = await start();
    await ready(page);
    await page.focus("#tab-model");
    for (const [key, tab] of [["ArrowRight", "device"], ["End", "storage"], ["ArrowRight", "model"], ["ArrowLeft", "storage"], ["Home", "model"]] as const) {
      await page.keyboard.press(key);
      expect(await page.evaluate(() => document.activeElement?.id)).toBe(`tab-${tab}`);
      expect(await page.isVisible(`#pane-${tab}`)).toBe(true);
      expect(await page.locator("[role=tabpanel]:visible").count()).toBe(1);
    }
  });

  test("a phone shows all of it: nothing sticks out, fingers hit it, the controls open over the page", async () => {
    const page = await start(phone);
    await ready(page);
    await page.tap("#openings button");
    await over(page);
    const sticking = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    const small = () => page.evaluate(() => [...document.querySelectorAll<HTMLElement>("button, select, input[type=number], input[type=text], summary")]
      .map((element) => ({ name: element.id || element.textContent, ...element.getBoundingClientRect().toJSON() }) as DOMRect & { name: string })
      .filter(({ width, height }) => width > 0 && (height < 24 || width < 24)).map(({ name }) => name));
    expect(await sticking()).toBeLessThanOrEqual(0);
    expect(await small()).toEqual([]);
    expect(await page.isVisible("#panel")).toBe(false);
    await page.tap("#open-panel");
    for (const tab of ["device", "settings", "storage", "model"]) {
      await page.tap(`#tab-${tab}`);
      expect(await sticking()).toBeLessThanOrEqual(0);
      expect(await small()).toEqual([]);
    }
    expect(await page.evaluate(() => document.getElementById("main")!.inert)).toBe(true);
    await page.keyboard.press("Escape");
    expect(await page.isVisible("#panel")).toBe(false);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("open-panel");
  });

  test("light and dark: the system's, until the person switches; texts are readable in both", async () => {
    const page = await start();
    await ready(page);
    await say(page, "Once upon a time");
    await over(page);
    const contrast = () => page.evaluate(() => {
      const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true })!;
      const light = (colour: string) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const ground = (element: Element | null): string => {
        if (!element) return "white";
        const colour = getComputedStyle(element).backgroundColor;
        return /, 0\)$/.test(colour) ? ground(element.parentElement) : colour;
      };
      return [...document.querySelectorAll<HTMLElement>("p, dt, dd, button, .said, .who, label, summary, h3, span")]
        .filter((element) => element.checkVisibility() && element.textContent?.trim() && !element.closest(".hidden"))
        .map((element) => {
          const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
          return { ratio: (a! + 0.05) / (b! + 0.05), text: element.textContent!.trim().slice(0, 30) };
        }).filter(({ ratio }) => ratio < 4.5);
    });
    expect(await contrast()).toEqual([]);
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const before = await ground();
    await page.click("#theme");
    expect(await ground()).not.toBe(before);
    expect(await contrast()).toEqual([]);
    await page.reload({ waitUntil: "commit" });
    await ready(page);
    expect(await ground()).not.toBe(before);
  });
});

test("no part of the page reads text as HTML, and none asks other sites for anything", () => {
  const folder = join(root, "apps/playground/src");
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), "utf8");
    expect(text, file).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/);
    expect(text.replaceAll("http://www.w3.org/2000/svg", "").replaceAll("https://…", ""), file).not.toMatch(/https?:\/\//);
  }
});
