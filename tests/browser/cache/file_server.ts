// A server with models of chosen size and faults, which counts what it is asked for, and serves the package's sources
// as modules, so that no build is needed.
import { once } from "node:events";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import ts from "typescript";

const MB = 1 << 20;
const root = join(import.meta.dirname, "../../..");

export interface Served {
  size: number; // bytes
  seed?: number; // another seed, other bytes
  etag?: string | undefined; // undefined: none
  ranges?: boolean; // default true
  rate?: number; // bytes a second
  cutAfter?: number[]; // the next answers break off after so many bytes
  status?: number[]; // of the next answers
  html?: boolean;
  length?: boolean; // false: the size is not told
  cors?: boolean; // another origin may read it, with none but the plain headers
}

export interface Asked {
  method: string;
  path: string;
  range: string; // "" if none
  ifRange: string;
  status: number;
  sent: number; // bytes of body
}

export class FileServer {
  readonly files = new Map<string, Served>();
  asked: Asked[] = [];
  private constructor(private readonly server: Server, readonly origin: string) {}

  static async start(): Promise<FileServer> {
    const server = createServer((request, response) => void self.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const self = new FileServer(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return self;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  serve(name: string, file: Served): string {
    this.files.set(name, { etag: `"${name}-${file.seed ?? 1}"`, ...file });
    return `${this.origin}/files/${name}`;
  }

  // Bytes of file bodies since `asked` was emptied.
  sent(name: string): number {
    return this.of(name).reduce((sum, { sent }) => sum + sent, 0);
  }
  of(name: string): Asked[] {
    return this.asked.filter(({ path }) => path === `/files/${name}`);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, this.origin);
    const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
    if (pathname.startsWith("/files/")) return this.answerFile(pathname, request, response);
    if (pathname === "/") {
      response.writeHead(200, { "Content-Type": "text/html", ...isolated }).end("<!doctype html><title>cache</title>");
      return;
    }
    const source = join(root, pathname.replace(/\.js$/, ".ts"));
    if (!pathname.endsWith(".js") || pathname.includes("..") || !existsSync(source)) {
      response.writeHead(404).end();
      return;
    }
    const { outputText } = ts.transpileModule(readFileSync(source, "utf8"), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    response.writeHead(200, { "Content-Type": "text/javascript", ...isolated }).end(outputText);
  }

  private async answerFile(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = this.files.get(path.slice("/files/".length));
    const asked: Asked = {
      method: request.method!, path, range: request.headers.range ?? "", ifRange: String(request.headers["if-range"] ?? ""),
      status: 200, sent: 0,
    };
    this.asked.push(asked);
    const headers: Record<string, string> = { "Content-Type": "application/octet-stream" };
    const end = (status: number, body = "") => {
      asked.status = status;
      response.writeHead(status, headers).end(body);
    };
    if (file?.cors) headers["Access-Control-Allow-Origin"] = "*";
    headers["Cross-Origin-Resource-Policy"] = "cross-origin";
    if (!file) return end(404, "no such file");
    const status = file.status?.shift();
    if (status) return end(status);
    if (file.html) {
      headers["Content-Type"] = "text/html; charset=utf-8";
      return end(200, "<!doctype html><p>Welcome");
    }
    if (file.etag) headers["ETag"] = file.etag;
    let from = 0, to = file.size;
    const range = /^bytes=(\d+)-(\d*)$/.exec(asked.range);
    const fresh = asked.ifRange === "" || asked.ifRange === file.etag;
    if (range && file.ranges !== false && fresh) {
      from = Number(range[1]);
      to = Math.min(range[2] ? Number(range[2]) + 1 : file.size, file.size);
      if (from >= file.size) {
        headers["Content-Range"] = `bytes */${file.size}`;
        return end(416);
      }
      asked.status = 206;
      headers["Content-Range"] = `bytes ${from}-${to - 1}/${file.size}`;
    }
    if (file.length !== false) headers["Content-Length"] = String(to - from);
    response.writeHead(asked.status, headers);
    if (request.method === "HEAD") return void response.end();
    const gone = once(response, "close");
    const cut = file.cutAfter?.shift() ?? Infinity;
    const step = file.rate ? Math.max(1024, Math.min(MB, Math.floor(file.rate / 20))) : MB;
    for (let at = from; at < to && !response.destroyed; ) {
      const bytes = contentOf(file, at, Math.min(to, at + Math.min(step, MB - at % MB), from + cut));
      if (bytes.length === 0) {
        response.destroy();
        return;
      }
      asked.sent += bytes.length;
      at += bytes.length;
      if (!response.write(bytes)) await Promise.race([once(response, "drain"), gone]);
      if (file.rate) await new Promise((go) => setTimeout(go, (1000 * bytes.length) / file.rate!));
    }
    response.end();
  }
}

// Bytes from `from` to `to`, inside one MB: every MB differs, and every seed.
const blocks = new Map<number, Buffer>();
function contentOf(file: Served, from: number, to: number): Buffer {
  const seed = file.seed ?? 1, k = Math.floor(from / MB);
  let block = blocks.get(seed);
  if (!block) {
    block = Buffer.alloc(MB);
    let state = seed * 2654435761 >>> 0;
    for (let i = 0; i < MB; i += 4) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      block.writeUInt32LE(state, i);
    }
    blocks.set(seed, block);
  }
  const out = Buffer.from(block.subarray(from - k * MB, Math.max(to - k * MB, from - k * MB)));
  if (from % MB === 0 && out.length >= 4) out.writeUInt32LE(k, 0);
  else for (let i = from % MB; i < 4 && i - from % MB < out.length; i++) out[i - from % MB] = (k >>> (8 * i)) & 255;
  return out;
}

export function sumOf(file: Served): string {
  const hash = createHash("sha256");
  for (let at = 0; at < file.size; at += MB) hash.update(contentOf(file, at, Math.min(at + MB, file.size)));
  return hash.digest("hex");
}
