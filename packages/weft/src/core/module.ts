// The WASM module as calls that return promises. It mirrors host/web/imports.h and exports.cc.
//
//   const core = await Core.create({ module, memory, sources, threads, gpu: (memory) => gpuHost.imports(memory), … });
//   const { model } = await core.call("load", { source: "model.gguf", options: {} }, { onAsk: checkFit, signal });
//
// Nothing in here waits: what the core awaits is ended by settle(). A trap ends the module for good: all calls, running
// and later ones, get the same error.
import { numberOf, WeftError, type WeftErrorCode } from "../errors.js";
import type { CoreMemory, ImportFunctions } from "./abi.js";
import type { SourceTable } from "./source_table.js";
import { Exit, wasiImports } from "./wasi.js";

interface Exports {
  memory?: WebAssembly.Memory;
  _initialize(): void;
  weft_alloc(bytes: number): number;
  weft_call(number: number, method: number, methodLength: number, parameters: number, length: number): void;
  weft_cancel(number: number): void;
  weft_settle(operation: number, code: number, text: number, length: number): void;
  weft_gpu_trouble?(gpu: number, code: number, text: number, length: number): void;
}

export interface CallHooks {
  /** What the call reports on its way. Called from within the core: it must not call the core. */
  onEvent?(event: never): void;
  /** A question of the call, answered by resolving; a rejection ends the call with that error. */
  onAsk?(question: never): Promise<void>;
  signal?: AbortSignal | undefined;
}

/** Threads that wait for work (threads.ts). */
export interface ThreadHost {
  idle(): number;
  /** Lets `count` of them run weft_thread(argument, 1 … count). False: there are not so many. */
  start(count: number, argument: number): boolean;
}

export interface CoreOptions {
  module: WebAssembly.Module;
  /** Of the threads build, which imports it. */
  memory?: WebAssembly.Memory | undefined;
  sources: SourceTable;
  threads?: ThreadHost | undefined;
  gpu?: ((memory: CoreMemory) => ImportFunctions) | undefined;
  onLog(level: number, text: string): void;
  /** Calls back from the event loop, as soon as what waits there had its turn. */
  soon(callback: () => void): void;
}

interface Call {
  resolve(value: unknown): void;
  reject(error: WeftError): void;
  hooks: CallHooks;
  /** What JavaScript failed with on behalf of this call: the core knows only its code and text. */
  refused?: WeftError;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Core implements CoreMemory {
  private exports!: Exports;
  private memory!: WebAssembly.Memory;
  private bytes_: Uint8Array = new Uint8Array();
  private words_: Uint32Array = new Uint32Array();
  private last = 0;
  private readonly calls = new Map<number, Call>();
  private complaint = "";
  /** Set once the module trapped: nothing works any more. */
  dead: WeftError | undefined;

  private constructor(private readonly options: CoreOptions) {}

  static async create(options: CoreOptions): Promise<Core> {
    const core = new Core(options);
    const groups: Record<string, ImportFunctions> = {
      weft: { ...core.imports(), ...options.gpu?.(core) },
      wasi_snapshot_preview1: wasiImports({
        buffer: () => core.memory.buffer,
        complain: (text) => void (core.complaint = (core.complaint + text).slice(-1000)),
      }),
    };
    const imports: WebAssembly.Imports = {};
    for (const { module, name, kind } of WebAssembly.Module.imports(options.module)) {
      const group = (imports[module] ??= {});
      if (kind === "memory" && options.memory) group[name] = options.memory;
      else if (kind === "function" && groups[module]?.[name]) group[name] = groups[module][name];
      else
        throw WeftError.of("internal", "weft.wasm", `import ${module}.${name}`, "one that this package has", "a newer or older file",
          "serve the .wasm files of the same version as the package");
    }
    const instance = await WebAssembly.instantiate(options.module, imports);
    core.exports = instance.exports as unknown as Exports;
    core.memory = options.memory ?? core.exports.memory!;
    core.enter(() => core.exports._initialize());
    return core;
  }

  // ---- memory ----

  private refresh(): void {
    if (this.bytes_.buffer === this.memory.buffer && this.bytes_.length !== 0) return;
    this.bytes_ = new Uint8Array(this.memory.buffer);
    this.words_ = new Uint32Array(this.memory.buffer);
  }
  bytes(): Uint8Array {
    this.refresh();
    return this.bytes_;
  }
  words(): Uint32Array {
    this.refresh();
    return this.words_;
  }
  text(address: number, length: number): string {
    // Addresses above 2 GB arrive as negative numbers. Decoders take no shared memory: slice copies.
    const at = address >>> 0;
    return decoder.decode(this.bytes().slice(at, at + (length >>> 0)));
  }
  /** Bytes of memory that the module has; it never gets smaller. */
  size(): number {
    return this.memory.buffer.byteLength;
  }
  alloc(bytes: number): number {
    return this.enter(() => this.exports.weft_alloc(bytes)) >>> 0;
  }
  private give(text: string): [address: number, length: number] {
    const bytes = encoder.encode(text);
    const address = this.exports.weft_alloc(Math.max(1, bytes.length)) >>> 0;
    this.bytes().set(bytes, address);
    return [address, bytes.length];
  }

  // ---- calls ----

  call<T>(method: string, parameters: object = {}, hooks: CallHooks = {}): Promise<T> {
    if (this.dead) return Promise.reject(this.dead);
    const number = ++this.last;
    return new Promise<T>((resolve, reject) => {
      const { signal } = hooks;
      const cancel = () => this.dead ?? this.enter(() => this.exports.weft_cancel(number));
      const end = () => signal?.removeEventListener("abort", cancel);
      this.calls.set(number, {
        resolve: (value) => (end(), resolve(value as T)),
        reject: (error) => (end(), reject(error)),
        hooks,
      });
      try {
        this.enter(() => {
          const name = this.give(method);
          this.exports.weft_call(number, ...name, ...this.give(JSON.stringify(parameters)));
        });
        if (signal?.aborted) cancel();
        else signal?.addEventListener("abort", cancel, { once: true });
      } catch (e) {
        reject(e);  // a trap: all calls were told
      }
    });
  }

  settle(operation: number, code: "ok" | WeftErrorCode, text = ""): void {
    if (this.dead) return;
    this.enter(() => {
      const [address, length] = text ? this.give(text) : [0, 0];
      this.exports.weft_settle(operation, code === "ok" ? 0 : numberOf(code), address, length);
    });
  }

  trouble(gpu: number, code: WeftErrorCode, text: string): void {
    if (this.dead) return;
    this.enter(() => this.exports.weft_gpu_trouble?.(gpu, numberOf(code), ...this.give(text)));
  }

  /** Runs something of the module; what it throws is its end. */
  private enter<T>(body: () => T): T {
    if (this.dead) throw this.dead;
    try {
      return body();
    } catch (e) {
      throw this.die(e);
    }
  }

  private die(cause: unknown): WeftError {
    if (this.dead) return this.dead;
    const said = this.complaint.trim();
    const why = cause instanceof Exit || !(cause instanceof Error) ? String(cause) : `${cause.name}: ${cause.message}`;
    this.dead = new WeftError("internal", `weft.wasm stopped: ${why}${said ? ` (${said})` : ""}; this engine cannot be used any more`, {
      hint: "make a new engine with createEngine(); please report the message",
      cause,
    });
    for (const call of this.calls.values()) call.reject(this.dead);
    this.calls.clear();
    return this.dead;
  }

  // ---- what the core asks for ----

  private reply(number: number, kind: number, json: string): void {
    const call = this.calls.get(number);
    if (!call) return;
    const value = JSON.parse(json) as never;
    if (kind === 0) return call.hooks.onEvent?.(value);
    this.calls.delete(number);
    if (kind === 1) return call.resolve(value);
    const { code, message, hint, where } = value as { code: WeftErrorCode; message: string; hint: string; where: string };
    // Here hint and code have places of their own beside the message.
    let plain = message;
    for (const tail of [` [${code}]`, ` (${hint})`]) if (plain.endsWith(tail)) plain = plain.slice(0, -tail.length);
    call.reject(call.refused?.code === code ? call.refused : new WeftError(code, plain, { hint: advice(code, hint), where }));
  }

  private imports(): ImportFunctions {
    const { options } = this;
    const quietly = (body: () => void) => {
      try {
        body();
      } catch (e) {
        options.onLog(2, `an event handler failed: ${String(e)}`);
      }
    };
    return {
      reply: (call, kind, text, length) => {
        const json = this.text(text!, length!);
        quietly(() => this.reply(call!, kind!, json));
      },
      ask: (operation, number, text, length) => {
        const call = this.calls.get(number!);
        const question = JSON.parse(this.text(text!, length!)) as never;
        Promise.resolve(call?.hooks.onAsk?.(question)).then(
          () => this.settle(operation!, "ok"),
          (e: unknown) => {
            const error = WeftError.from(e);
            if (call) call.refused = error;
            this.settle(operation!, error.code, error.message);
          },
        ).catch(() => undefined);  // a trap: die() has told everybody
      },
      log: (level, text, length) => quietly(() => options.onLog(level!, this.text(text!, length!))),
      now: () => performance.now() / 1000,
      yield: (operation) => options.soon(() => this.survive(() => this.settle(operation!, "ok"))),
      source_open: (text, length) => options.sources.open(this.text(text!, length!)),
      source_size: (source) => options.sources.size(source!),
      source_read: (operation, source, offset, out, bytes) => {
        const done = (error?: WeftError) => {
          if (error) for (const call of this.calls.values()) call.refused ??= error;
          this.survive(() => (error ? this.settle(operation!, error.code, error.message) : this.settle(operation!, "ok")));
        };
        const at = out! >>> 0;
        const size = bytes! >>> 0;
        try {
          const reading = options.sources.read(source!, offset!, () => this.bytes().subarray(at, at + size));
          if (reading === true) return 1;
          reading.then(() => done(), (e: unknown) => done(WeftError.from(e, "io")));
        } catch (e) {
          const error = WeftError.from(e, "io");
          queueMicrotask(() => done(error));
        }
        return 0;
      },
      source_close: (source) => options.sources.close(source!),
      threads: () => options.threads?.idle() ?? 0,
      threads_start: (count, argument) => (options.threads?.start(count!, argument! >>> 0) ? 1 : 0),
    };
  }

  /** From the event loop, where nobody catches what a trap throws: the calls have been told. */
  private survive(body: () => void): void {
    try {
      if (!this.dead) body();
    } catch (e) {
      if (e !== this.dead) throw e;
    }
  }
}

/** The core words its advice for the program's options. */
function advice(code: WeftErrorCode, hint: string): string {
  return /--\w/.test(hint) ? new WeftError(code, "").hint : hint;
}

