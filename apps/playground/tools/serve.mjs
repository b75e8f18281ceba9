// Serves the built page: node tools/serve.mjs [--port N] [--host NAME] [--no-isolation] [FOLDER]
//
// What any server of this page needs is here: the headers of isolation, the type of wasm, long caching of names with a
// hash in them, compression of what is large, and ranges for models. Compressed forms are made at the first request.
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const types = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8", ".json": "application/json", ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml", ".png": "image/png", ".wasm": "application/wasm", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
};
const squeezed = new Map();

/** Answers requests for files of `folder`; give it to createServer. */
export function serve(folder, { isolation = true } = {}) {
  return (request, response) => {
    const address = new URL(request.url ?? "/", "http://localhost");
    let path = "";
    try {
      path = normalize(join(folder, decodeURIComponent(address.pathname)));
    } catch {
      // A bad escape: no such file.
    }
    if (path.endsWith(sep)) path += "index.html";
    if (!path.startsWith(normalize(folder + sep)) || !existsSync(path) || !statSync(path).isFile())
      return void response.writeHead(404, { "Content-Type": "text/plain" }).end("no such file\n");
    const { size, mtimeMs } = statSync(path);
    const etag = `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
    const headers = {
      "Content-Type": types[extname(path)] ?? "application/octet-stream", ETag: etag, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff",
      "Cache-Control": /\/assets\/[^/]+-[\w-]{8}\.\w+$/.test(address.pathname) ? "public, max-age=31536000, immutable" : "no-cache",
    };
    if (isolation)
      Object.assign(headers, {
        "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "same-origin",
      });
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304, headers).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (range && (request.headers["if-range"] ?? etag) === etag) {
      const from = Number(range[1]), to = Math.min(range[2] ? Number(range[2]) : size - 1, size - 1);
      if (from > to) return void response.writeHead(416, { ...headers, "Content-Range": `bytes */${size}` }).end();
      response.writeHead(206, { ...headers, "Content-Range": `bytes ${from}-${to}/${size}`, "Content-Length": to - from + 1 });
      return void (request.method === "HEAD" ? response.end() : createReadStream(path, { start: from, end: to }).pipe(response));
    }
    if (size > 1024 && /\.(html|js|mjs|css|json|webmanifest|svg|wasm|txt)$/.test(path) && /\bbr\b/.test(request.headers["accept-encoding"] ?? "")) {
      const key = path + etag;
      if (!squeezed.has(key)) squeezed.set(key, brotliCompressSync(readFileSync(path), { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }));
      const body = squeezed.get(key);
      response.writeHead(200, { ...headers, "Content-Encoding": "br", Vary: "Accept-Encoding", "Content-Length": body.length });
      return void response.end(request.method === "HEAD" ? undefined : body);
    }
    response.writeHead(200, { ...headers, "Content-Length": size });
    if (request.method === "HEAD") response.end();
    else createReadStream(path).pipe(response);
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv.slice(2);
  const option = (name, otherwise) => (given.includes(name) ? given.splice(given.indexOf(name), 2)[1] : otherwise);
  const port = Number(option("--port", 8080)), host = option("--host", "localhost");
  const isolation = !given.includes("--no-isolation");
  const folder = given.find((word) => !word.startsWith("--")) ?? fileURLToPath(new URL("../dist", import.meta.url));
  const server = createServer(serve(folder, { isolation }));
  server.on("error", (e) => (console.error(`port ${port}: ${e.message}`), process.exit(1)));
  server.listen(port, host, () => console.log(`http://${host}:${server.address().port}/`));
}
