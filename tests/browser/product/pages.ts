// Pages with the built package in them, and the native program they are compared to.
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import type { Engine, Model } from "../../../packages/weft/src/index.js";
import { launch } from "../support/chromium.mjs";
import { serve } from "../support/server.mjs";

export const root = resolve(import.meta.dirname, "../../..");
const modelFile = readdirSync(join(root, "models")).find((name) => name.endsWith(".gguf"))!;
export const modelPath = join(root, "models", modelFile);
export const modelUrl = `/models/${modelFile}`;

/** What the page's functions can use: `weft` is the package. */
export interface Scope {
  weft: typeof import("../../../packages/weft/src/index.js");
  engine: Engine;
  model: Model;
}

const html = `<!doctype html><title>weft</title><script type="module">
import * as weft from "/packages/weft/dist/index.js";
window.scope = { weft };
</script>`;

/** A browser of its own: swiftshader, lavapipe or none. */
export class Place {
  private constructor(
    private readonly browser: Awaited<ReturnType<typeof launch>>,
    private readonly servers: Awaited<ReturnType<typeof serve>>[],
  ) {}

  static async open(gpu: string, args: string[] = []): Promise<Place> {
    const handler = (path: string) => (path === "/" ? html : undefined);
    const servers = [await serve(handler), await serve(handler, { isolated: false })];
    return new Place(await launch(gpu, { args }), servers);
  }

  /** A page with the package imported. Errors of its scripts fail the test by `failed`. */
  async page({ isolated = true } = {}): Promise<Page> {
    const page = await this.browser.context.newPage();
    page.on("pageerror", (error) => console.log(`page: ${error.stack}`));
    page.on("console", (message) => message.type() === "error" && console.log(`console: ${message.text()}`));
    await page.goto(this.servers[isolated ? 0 : 1]!.origin);
    await page.waitForFunction(() => "scope" in window);
    return page;
  }

  async close(): Promise<void> {
    await this.browser.close();
    for (const server of this.servers) server.close();
  }
}

/** Runs in the page; `given` must be clonable, and so must be what comes back. */
export function inPage<T, G>(page: Page, body: (scope: Scope, given: G) => Promise<T>, given: G): Promise<T> {
  return page.evaluate(
    ([text, value]) => (new Function(`return ${text}`)() as (s: unknown, g: unknown) => Promise<never>)((window as never as { scope: unknown }).scope, value),
    [body.toString(), given] as const,
  ) as Promise<T>;
}

/** Loads the default model into the page's scope. */
export async function load(page: Page, engineOptions: object, loadOptions: object): Promise<{ device: string; reason: string }> {
  return inPage(page, async (scope, [url, ofEngine, ofLoad]: readonly [string, object, object]) => {
    scope.engine ??= await scope.weft.createEngine(ofEngine);
    scope.model = await scope.engine.load(url, ofLoad);
    return { device: scope.model.info.device.name, reason: scope.model.info.reason };
  }, [modelUrl, engineOptions, loadOptions] as const);
}

export async function generate(page: Page, prompt: string, options: object): Promise<{ ids: number[]; text: string; reason: string; stats: { device: string; kind: string } }> {
  return inPage(page, async (scope, [text, how]: readonly [string, object]) => {
    const generation = scope.model.generate(text, how);
    for await (const _ of generation);
    const { ids, text: out, reason, stats } = await generation.result;
    return { ids, text: out, reason, stats: { device: stats.device, kind: stats.kind } };
  }, [prompt, options] as const);
}

interface NativeResult {
  ids: number[];
  text: string;
  logprobs?: { logprob: number; best: { id: number; logprob: number }[] }[];
}

/** The native program's answer, on the CPU. */
export function native(args: string[]): NativeResult {
  const all = ["generate", "--device", "cpu", "--json", ...args];
  return JSON.parse(execFileSync(join(root, "build/release/weft"), all, { encoding: "utf8" })) as NativeResult;
}
