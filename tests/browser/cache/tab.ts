// A tab of Chromium with the worker of worker.ts in it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";

export interface Failed {
  error: { name: string; message: string; code?: string; hint?: string };
}
export interface Loaded {
  sum: string;
  sums: Record<string, string>;
  sync: number;
  reads: number;
  where: string;
  reason: string;
  from: string;
  name: string;
  keys: string[];
}
export interface Told {
  loaded: number;
  total: number;
  bytesPerSecond: number;
  secondsLeft: number;
  from: string;
}

export class Browser {
  private constructor(readonly context: BrowserContext, private readonly folder: string) {}

  // A browser with an empty profile: a persistent one, since OPFS of "incognito" profiles lies in memory.
  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(process.env.WEFT_PROFILE_ROOT ?? tmpdir(), "weft-cache-"));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: process.env.WEFT_CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-quic"],
    });
    return new Browser(context, folder);
  }
  async stop(): Promise<void> {
    await this.context.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
  // The private and shared memory, in MB, of this browser's largest renderer.
  rendererMB(): number {
    const read = (pid: string, file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
      } catch {
        return ""; // ended meanwhile
      }
    };
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const parent = new Map(pids.map((pid) => [pid, /^PPid:\s*(\d+)/m.exec(read(pid, "status"))?.[1] ?? "0"]));
    const main = pids.find((pid) => read(pid, "cmdline").includes(this.folder) && !read(pid, "cmdline").includes("--type="));
    const ours = (pid: string): boolean => pid === main || (pid !== "0" && ours(parent.get(pid) ?? "0"));
    const renderers = pids.filter((pid) => read(pid, "cmdline").includes("--type=renderer") && ours(pid));
    return Math.max(0, ...renderers.map((pid) => Number(/^VmRSS:\s*(\d+)/m.exec(read(pid, "status"))?.[1] ?? 0) / 1024));
  }
  async tab(origin: string): Promise<Tab> {
    const page = await this.context.newPage();
    await page.goto(origin);
    await page.evaluate(() => {
      const worker = new Worker("/tests/browser/cache/worker.js", { type: "module" });
      const waiting = new Map<number, { resolve(value: unknown): void; told: unknown[] }>();
      let last = 0;
      worker.onmessage = ({ data }) => {
        const call = waiting.get(data.id)!;
        if ("progress" in data) call.told.push(data.progress);
        else call.resolve({ ...data, told: call.told });
      };
      worker.onerror = (e) => console.error("worker", e.message);
      Object.assign(window, {
        ask: (call: string, values: unknown[]) => new Promise((resolve) => {
          waiting.set(++last, { resolve, told: [] });
          worker.postMessage({ id: last, call, values });
        }),
        told: () => [...waiting.values()].flatMap((call) => call.told),
      });
    });
    return new Tab(page);
  }
}

export class Tab {
  private last: Told[] = [];
  constructor(readonly page: Page) {}

  private async ask(call: string, values: unknown[]): Promise<{ result?: unknown; error?: Failed["error"]; told: Told[] }> {
    return this.page.evaluate(([call, values]) =>
      (window as unknown as { ask(call: string, values: unknown[]): Promise<never> }).ask(call, values),
    [call, values] as const);
  }
  async call<T = unknown>(call: string, ...values: unknown[]): Promise<T> {
    const answer = await this.ask(call, values);
    if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.message} (${answer.error.hint})`);
    return answer.result as T;
  }
  async load(url: string, options: object = {}): Promise<Loaded & { told: Told[] }> {
    const answer = await this.ask("load", [url, options]);
    if (answer.error) throw new Error(`${answer.error.code}: ${answer.error.message} (${answer.error.hint})`);
    return { ...answer.result as Loaded, told: answer.told };
  }
  async fails(url: string, options: object = {}): Promise<Failed["error"]> {
    const { error } = await this.ask("load", [url, options]);
    if (!error) throw new Error("the load did not fail");
    return error;
  }
  told(): Promise<Told[]> {
    return this.page.evaluate(() => (window as unknown as { told(): never }).told());
  }
  // Until so many bytes were loaded by any load of this tab.
  async reaches(bytes: number): Promise<void> {
    for (;;) {
      if ((await this.told()).some(({ loaded }) => loaded >= bytes)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  // As if the system ended the tab's process: nothing gets to clean up.
  async kill(): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    const gone = new Promise<void>((resolve) => this.page.once("crash", () => resolve()));
    session.send("Page.crash").catch(() => {});
    await gone;
    await this.page.close();
  }
}
