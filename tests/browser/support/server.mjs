// A server of the checkout for pages of tests, with the headers that isolate them.
//
//   const server = await serve((path, query) => path === "/" ? "<!doctype html>" : undefined, { isolated: true });
//   server.origin; server.close();
//
// What the handler does not answer (undefined) is a file of the checkout's packages, tests or models; TypeScript is
// handed out as JavaScript under its name with .js, so that no build is needed.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";
import ts from "typescript";

const root = resolve(import.meta.dirname, "../../..");
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
  "": "text/html" };
const folders = /^\/(packages|tests|models|node_modules|build|examples)\//;

function fileOf(path) {
  if (!folders.test(path) || path.includes("..")) return undefined;
  const place = join(root, path);
  if (existsSync(place) && statSync(place).isFile()) return readFileSync(place);
  const source = place.replace(/\.js$/, ".ts");
  if (source === place || !existsSync(source)) return undefined;
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  return ts.transpileModule(readFileSync(source, "utf8"), { compilerOptions }).outputText;
}

export async function serve(handler = () => undefined, { isolated = true } = {}) {
  const headers = isolated
    ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" } : {};
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const body = handler(pathname, searchParams) ?? fileOf(pathname);
    if (body === undefined) return void response.writeHead(pathname === "/favicon.ico" ? 204 : 404, headers).end();
    const type = types[extname(pathname)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", ...headers }).end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
