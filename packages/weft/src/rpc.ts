/**
 * Calls between two places that exchange messages: page and worker. Both sides are derived from one interface, whose
 * methods all return promises; what one side implements the other calls as if it were its own.
 *
 *     interface Engine { load(url: string, onProgress: (p: Progress) => void, signal?: AbortSignal): Promise<Info> }
 *     // in the worker                                   // on the page
 *     connect<Page>(port, new EngineServer());           const engine = connect<Engine>(port).remote;
 *                                                        await engine.load(url, show, controller.signal);
 *
 * Arguments and results are cloned. Among the arguments themselves, functions become events to the caller (their results
 * are not waited for) and AbortSignals are forwarded. Errors arrive as WeftError. transfer(value, list) moves buffers.
 */
import { WeftError, type ErrorParts } from "./errors.js";

/** One end of a line: a Worker, a MessagePort or Node's equivalents. */
export interface Port {
  post(message: unknown, transfer?: readonly Transferable[]): void;
  /** Called once, before anything arrives. */
  listen(onMessage: (message: unknown) => void, onEnd: (why: WeftError) => void): void;
  /** Whether answers are waited for: Node ends a program that waits for nothing. */
  busy?(waiting: boolean): void;
}

export interface Connection<Remote> {
  readonly remote: Remote;
  /** All calls that wait for the other side, and all later ones, end with this error. */
  end(why: WeftError): void;
}

type Message =
  | { call: number; method: string; args: unknown[]; special: [number, "callback" | "signal"][] }
  | { abort: number; reason?: string }
  | { event: number; argument: number; values: unknown[] }
  | { result: number; value: unknown }
  | { error: number; parts: ErrorParts };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: WeftError): void;
  callbacks: Map<number, (...values: unknown[]) => void>;
  done(): void;
}

const transfers = new WeakMap<object, readonly Transferable[]>();

/** Marks an argument or result: the buffers in the list are moved, not copied. */
export function transfer<T extends object>(value: T, list: readonly Transferable[]): T {
  transfers.set(value, list);
  return value;
}

function moved(values: unknown[]): Transferable[] {
  return values.flatMap((value) => (typeof value === "object" && value !== null ? (transfers.get(value) ?? []) : []));
}

export function connect<Remote extends object>(port: Port, local: object = {}): Connection<Remote> {
  let last = 0;
  let ended: WeftError | undefined;
  const waiting = new Map<number, Waiting>();
  const running = new Map<number, AbortController[]>();

  function settle(call: number): Waiting | undefined {
    const entry = waiting.get(call);
    if (!entry) return undefined;
    waiting.delete(call);
    entry.done();
    if (waiting.size === 0) port.busy?.(false);
    return entry;
  }

  function end(why: WeftError): void {
    ended ??= why;
    for (const call of [...waiting.keys()]) settle(call)?.reject(why);
    for (const controllers of running.values()) for (const controller of controllers) controller.abort();
  }

  function call(method: string, args: unknown[]): Promise<unknown> {
    if (ended) return Promise.reject(ended);
    const number = ++last;
    return new Promise((resolve, reject) => {
      const special: [number, "callback" | "signal"][] = [];
      const callbacks: Waiting["callbacks"] = new Map();
      const undo: (() => void)[] = [];
      const plain = args.map((value, index) => {
        if (typeof value === "function") {
          special.push([index, "callback"]);
          callbacks.set(index, value as (...values: unknown[]) => void);
          return null;
        }
        if (value instanceof AbortSignal) {
          special.push([index, "signal"]);
          const tell = () => port.post({ abort: number, reason: String(value.reason?.message ?? value.reason) });
          // After the call itself is on its way, so that the other side knows whom this is about.
          if (value.aborted) queueMicrotask(tell);
          else value.addEventListener("abort", tell, { once: true });
          undo.push(() => value.removeEventListener("abort", tell));
          return null;
        }
        return value;
      });
      waiting.set(number, { resolve, reject, callbacks, done: () => undo.forEach((f) => f()) });
      if (waiting.size === 1) port.busy?.(true);
      try {
        port.post({ call: number, method, args: plain, special }, moved(args));
      } catch (e) {
        settle(number)?.reject(WeftError.from(e, "invalid-argument", method));
      }
    });
  }

  async function answer(message: Extract<Message, { call: number }>): Promise<void> {
    const { call: number, method, special } = message;
    const args = [...message.args];
    const controllers: AbortController[] = [];
    for (const [index, kind] of special) {
      if (kind === "callback") {
        args[index] = (...values: unknown[]) => port.post({ event: number, argument: index, values }, moved(values));
      } else {
        const controller = new AbortController();
        controllers.push(controller);
        args[index] = controller.signal;
      }
    }
    running.set(number, controllers);
    try {
      const target = (local as Record<string, unknown>)[method];
      if (typeof target !== "function" || !(method in local))
        throw WeftError.of("internal", "rpc", "the method", "one of this worker", method);
      const value: unknown = await (target as (...a: unknown[]) => unknown).apply(local, args);
      if (!ended) port.post({ result: number, value }, moved([value]));
    } catch (e) {
      if (!ended) port.post({ error: number, parts: WeftError.parts(WeftError.from(e)) });
    } finally {
      running.delete(number);
    }
  }

  port.listen((raw) => {
    const message = raw as Message;
    if ("call" in message) void answer(message);
    else if ("abort" in message) running.get(message.abort)?.forEach((c) => c.abort(new WeftError("cancelled", message.reason ?? "stopped")));
    else if ("event" in message) waiting.get(message.event)?.callbacks.get(message.argument)?.(...message.values);
    else if ("result" in message) settle(message.result)?.resolve(message.value);
    else if ("error" in message) settle(message.error)?.reject(WeftError.fromParts(message.parts));
  }, end);

  const remote = new Proxy({} as Remote, {
    get: (_, name) => (typeof name !== "string" || name === "then" ? undefined : (...args: unknown[]) => call(name, args)),
  });
  return { remote, end };
}

/** A browser's Worker, MessagePort or the worker's own global scope. */
export function browserPort(end: Worker | MessagePort | DedicatedWorkerGlobalScopeLike): Port {
  return {
    post: (message, list) => end.postMessage(message, (list ?? []) as Transferable[]),
    listen(onMessage, onEnd) {
      const target = end as EventTarget;
      target.addEventListener("message", (event) => onMessage((event as MessageEvent).data));
      target.addEventListener("messageerror", () => onEnd(new WeftError("internal", "a message could not be read")));
      target.addEventListener("error", (event) => {
        const text = (event as ErrorEvent).message;
        onEnd(new WeftError("internal", `the engine's worker failed: ${text || "its script could not be loaded"}`));
      });
    },
  };
}

export interface DedicatedWorkerGlobalScopeLike extends EventTarget {
  postMessage(message: unknown, transfer: Transferable[]): void;
}
