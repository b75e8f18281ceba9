// A thread of the core, in Node.
import { parentPort, workerData } from "node:worker_threads";
import { runThread } from "./core/thread_main.js";
import type { ThreadStart } from "./core/threads.js";

runThread(workerData as ThreadStart, () => parentPort!.postMessage({})).catch((e: unknown) =>
  parentPort!.postMessage({ failed: String(e) }),
);
