// A thread of the core, in a browser: its first message says what of.
import { runThread } from "./core/thread_main.js";
import type { ThreadStart } from "./core/threads.js";

addEventListener("message", ({ data }: MessageEvent<ThreadStart>) => {
  runThread(data, () => postMessage({})).catch((e: unknown) => postMessage({ failed: String(e) }));
}, { once: true });
