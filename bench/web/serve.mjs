// Serves the built page and models, with the headers that threads need and ranges for downloads.
//
//   const server = await serve({ "/": "bench/web/dist", "/models/": "build/bench-web/models" });
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
  ".wasm": "application/wasm", ".json": "application/json" };

export async function serve(folders, port = 0) {
  const fileOf = (path) => {
    const mount = Object.keys(folders).filter((m) => path.startsWith(m)).sort((a, b) => b.length - a.length)[0];
    const rest = normalize(path.slice(mount.length) || "index.html");
    const file = join(folders[mount], rest);
    const stat = rest.startsWith("..") ? undefined : statSync(file, { throwIfNoEntry: false });
    return stat?.isFile() ? { file, stat } : undefined;
  };
  const server = createServer((request, response) => {
    const found = fileOf(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "same-origin" };
    if (!found) return void response.writeHead(404, headers).end();
    const { file, stat } = found;
    Object.assign(headers, { "Content-Type": types[extname(file)] ?? "application/octet-stream", "Accept-Ranges": "bytes",
      "Cache-Control": "no-cache", ETag: `"${stat.size}-${stat.mtimeMs | 0}"` });
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(from ?? 0), end = Math.min(to ? Number(to) : stat.size - 1, stat.size - 1);
    if (from !== undefined) headers["Content-Range"] = `bytes ${start}-${end}/${stat.size}`;
    response.writeHead(from === undefined ? 200 : 206, { ...headers, "Content-Length": end - start + 1 });
    if (request.method === "HEAD" || stat.size === 0) return void response.end();
    createReadStream(file, { start, end }).on("error", () => response.destroy()).pipe(response);
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
