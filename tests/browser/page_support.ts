// A page of this repository, built and served, in a Chromium with an empty profile on disk (those in memory have no
// persistent storage). WEFT_CHROMIUM: another browser of the kind.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { build } from "vite";
import { serve } from "../../apps/playground/tools/serve.mjs";

export const root = resolve(import.meta.dirname, "../..");
export const model = join(root, "models/weft-stories-7m-q8_0.gguf");

/** A temporary folder with the built page, and servers of it. */
export class Built {
  private readonly servers: Server[] = [];
  private constructor(readonly folder: string) {}

  static async of(project: string): Promise<Built> {
    const folder = mkdtempSync(join(tmpdir(), "weft-page-"));
    process.env["NODE_ENV"] = "production"; // the test runner's own would make a page for development
    await build({ root: join(root, project), logLevel: "warn", build: { outDir: folder, emptyOutDir: true } });
    return new Built(folder);
  }

  async serve(options: { isolation?: boolean } = {}): Promise<string> {
    const server = createServer(serve(this.folder, options)).listen(0, "127.0.0.1");
    this.servers.push(server);
    await new Promise((started) => server.once("listening", started));
    return `http://localhost:${(server.address() as AddressInfo).port}/`;
  }

  remove(): void {
    for (const server of this.servers) server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Screen {
  width: number;
  height: number;
  touch?: boolean;
}
export const desktop: Screen = { width: 1280, height: 800 };
export const phone: Screen = { width: 360, height: 740, touch: true };

/** Errors of its pages' scripts end up in `failures`. */
export class Profile {
  readonly failures: string[] = [];
  private constructor(readonly context: BrowserContext, private readonly folder: string) {}

  static async start({ width, height, touch }: Screen, args: string[] = []): Promise<Profile> {
    const folder = mkdtempSync(join(tmpdir(), "weft-profile-"));
    const context = await chromium.launchPersistentContext(folder, {
      executablePath: process.env["WEFT_CHROMIUM"] ?? "/usr/bin/chromium",
      headless: true,
      viewport: { width, height },
      hasTouch: !!touch,
      isMobile: !!touch,
      args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-quic", ...args],
    });
    return new Profile(context, folder);
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.failures.push(String(error)));
    page.setDefaultTimeout(30_000);
    await page.goto(url, { waitUntil: "commit" });
    return page;
  }

  async stop(): Promise<void> {
    await this.context.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
