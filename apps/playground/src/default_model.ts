// The model that comes with the page. It is kept in the service worker's storage rather than the engine's, so that the
// page works without a connection after one visit and nothing is fetched twice.
import type { Progress } from "weft";

// The build copies the file from models/ and gives it a name with a hash of its bytes.
const files = import.meta.glob<string>("../../../models/*.gguf", { query: "?url", import: "default", eager: true });
const [path, url] = Object.entries(files)[0] ?? [];

export const defaultModelName = "Weft Stories 7M";
export const modelCache = "weft-models"; // also in sw.ts

/** Fetches it, or takes the kept one. */
export async function defaultModel(onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<File> {
  if (!path || !url) throw new Error("this build of the page has no model");
  const cache = await globalThis.caches?.open(modelCache).catch(() => undefined);
  const kept = await cache?.match(url);
  const response = kept ?? (await fetch(url, { signal }));
  if (!response.ok || !response.body) throw new Error(`the page's own model: HTTP ${response.status}`);
  const total = Number(response.headers.get("Content-Length")) || 0;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const started = performance.now();
  let loaded = 0;
  const reader = response.body.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    chunks.push(step.value);
    loaded += step.value.byteLength;
    const bytesPerSecond = (loaded / Math.max(1, performance.now() - started)) * 1000;
    const secondsLeft = total > loaded && bytesPerSecond > 0 ? (total - loaded) / bytesPerSecond : null;
    onProgress({ phase: "downloading", loaded, total: Math.max(total, loaded), bytesPerSecond, secondsLeft, cached: !!kept });
  }
  const file = new File(chunks, path.slice(path.lastIndexOf("/") + 1));
  if (cache && !kept) {
    const headers = { "Content-Type": "application/octet-stream", "Content-Length": String(file.size) };
    void cache.put(url, new Response(file, { headers })).catch(() => {}); // no room: it will be fetched again
  }
  return file;
}
