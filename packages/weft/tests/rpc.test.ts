// Calls between two ends of a MessageChannel, cloned as between page and worker.
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { WeftError } from "../src/errors.js";
import { connect, transfer, type Connection, type Port } from "../src/rpc.js";

interface Far {
  add(a: number, b: number): Promise<number>;
  count(to: number, each: (n: number) => void): Promise<void>;
  wait(signal?: AbortSignal): Promise<string>;
  fail(kind: "weft" | "other"): Promise<void>;
  size(bytes: Uint8Array): Promise<number>;
  bytes(): Promise<Uint8Array>;
}
interface Near {
  ask(question: string): Promise<string>;
}

class FarEnd implements Far {
  near!: Near;
  async add(a: number, b: number) {
    return a + b;
  }
  async count(to: number, each: (n: number) => void) {
    for (let n = 1; n <= to; ++n) each(n);
  }
  wait(signal?: AbortSignal) {
    return new Promise<string>((_, reject) => {
      const stop = () => reject(signal!.reason as Error);
      if (signal!.aborted) stop();
      signal!.addEventListener("abort", stop);
    });
  }
  async fail(kind: "weft" | "other") {
    if (kind === "other") throw new TypeError("no such thing");
    throw new WeftError("bad-file", "a.gguf: version: expected 3, found 9", { hint: "convert it", where: "a.gguf" });
  }
  async size(bytes: Uint8Array) {
    return bytes.length;
  }
  async bytes() {
    const out = new Uint8Array(10).fill(7);
    return transfer(out, [out.buffer]);
  }
  async relay(question: string) {
    return this.near.ask(question);
  }
}

const open: MessagePort[] = [];
const busy: boolean[] = [];
afterEach(() => open.splice(0).forEach((port) => port.close()));

function port(end: MessagePort): Port {
  open.push(end);
  return {
    post: (message, list) => end.postMessage(message, list as never),
    listen: (onMessage) => void end.on("message", onMessage),
    busy: (waiting) => void busy.push(waiting),
  };
}

function pair(): Connection<Far & { relay(q: string): Promise<string>; missing(): Promise<void> }> {
  const { port1, port2 } = new MessageChannel();
  const far = new FarEnd();
  far.near = connect<Near>(port(port2), far).remote;
  return connect(port(port1), { ask: async (question: string) => `${question}!` });
}

test("results, and calls in the other direction", async () => {
  const { remote } = pair();
  expect(await Promise.all([remote.add(1, 2), remote.add(3, 4)])).toEqual([3, 7]);
  expect(await remote.relay("why")).toBe("why!");
});

test("functions become events, in order and before the result", async () => {
  const { remote } = pair();
  const seen: number[] = [];
  await remote.count(100, (n) => seen.push(n));
  expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
});

test("a signal is forwarded, also one that was aborted before the call", async () => {
  const { remote } = pair();
  const controller = new AbortController();
  const waiting = remote.wait(controller.signal);
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toMatchObject({ code: "cancelled", message: "enough" });
  await expect(remote.wait(AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
});

test("errors arrive whole, as WeftError", async () => {
  const { remote } = pair();
  const error = await remote.fail("weft").catch((e: unknown) => e);
  expect(error).toBeInstanceOf(WeftError);
  expect(error).toMatchObject({ code: "bad-file", hint: "convert it", where: "a.gguf", message: "a.gguf: version: expected 3, found 9" });
  await expect(remote.fail("other")).rejects.toMatchObject({ code: "internal", message: "no such thing" });
  await expect(remote.missing()).rejects.toMatchObject({ code: "internal" });
});

test("what cannot be cloned is the caller's error, and the line goes on", async () => {
  const { remote } = pair();
  await expect(remote.size({ f: () => 1 } as never)).rejects.toMatchObject({ code: "invalid-argument" });
  expect(await remote.add(1, 1)).toBe(2);
});

test("buffers are moved where they are marked", async () => {
  const { remote } = pair();
  const bytes = new Uint8Array(5);
  expect(await remote.size(transfer(bytes, [bytes.buffer]))).toBe(5);
  expect(bytes.length).toBe(0);
  expect(await remote.bytes()).toEqual(new Uint8Array(10).fill(7));
});

test("the end of the line ends what waits and what comes later", async () => {
  const { remote, end } = pair();
  const waiting = remote.wait(new AbortController().signal);
  end(new WeftError("internal", "the worker ended"));
  await expect(waiting).rejects.toMatchObject({ message: "the worker ended" });
  await expect(remote.add(1, 1)).rejects.toMatchObject({ message: "the worker ended" });
});

test("a port is busy while calls wait, and no longer", async () => {
  const { remote } = pair();
  busy.length = 0;
  await Promise.all([remote.add(1, 1), remote.add(1, 1)]);
  expect(busy).toEqual([true, false]);
});
