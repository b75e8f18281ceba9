// Service worker. Everything that the page is made of is kept when it is installed and served from there ever after, with
// the headers of isolation; other requests are left alone. It imports nothing: the build writes it as one plain script.
interface Scope extends EventTarget {
  readonly location: Location;
  readonly registration: { scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}
interface Ending extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

// Filled in by the build: files of the page, relative to it, and one hash of them all.
declare const __FILES__: { shell: string[]; models: string[]; hash: string };

const files = __FILES__;
const here = globalThis as unknown as Scope;
const shell = `weft-shell-${files.hash}`;
const models = "weft-models"; // also in default_model.ts
const addressOf = (file: string) => new URL(file, here.registration.scope).href;

function on(type: string, listener: (event: never) => void): void {
  here.addEventListener(type, listener as (event: Event) => void);
}

on("install", (event: Ending) => event.waitUntil(keep()));
on("activate", (event: Ending) => event.waitUntil(takeOver()));
on("message", (event: MessageEvent) => void (event.data === "use" && here.skipWaiting()));
on("fetch", (event: Fetching) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(here.registration.scope)) return;
  const file = request.url.slice(here.registration.scope.length).split(/[?#]/)[0]!;
  const start = request.mode === "navigate" && (file === "" || file === "index.html");
  if (start || files.shell.includes(file)) event.respondWith(serve(start ? "index.html" : file, request));
});

async function keep(): Promise<void> {
  await (await caches.open(shell)).addAll(files.shell.map(addressOf));
  const kept = await caches.open(models);
  for (const file of files.models) if (!(await kept.match(addressOf(file)))) await kept.add(addressOf(file));
}

async function takeOver(): Promise<void> {
  for (const name of await caches.keys()) if (name.startsWith("weft-shell-") && name !== shell) await caches.delete(name);
  const kept = await caches.open(models);
  const wanted = files.models.map(addressOf);
  for (const { url } of await kept.keys()) if (!wanted.includes(url)) await kept.delete(url);
  await here.clients.claim();
}

async function serve(file: string, request: Request): Promise<Response> {
  const response = (await (await caches.open(shell)).match(addressOf(file))) ?? (await fetch(request));
  if (response.type === "opaque" || response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
