// Runs one WASM program of tests to its end, in a thread that may block: a worker of Chromium, or Node.
//
//   const status = await runProgram({ module, memory, args, env, files, gpu, print });
//
// module: WebAssembly.Module; memory: of a program that imports its memory; files.size(path, folder) → bytes or -1,
// files.read() → Uint8Array of what was asked about last; gpu: a GpuLine (gpu_line.mjs), none where there is no GPU;
// print(text): what the program writes. Resolves to the exit status.

class Exit extends Error {
  constructor(status) {
    super(`exit ${status}`);
    this.status = status;
  }
}

export async function runProgram({ module, memory, args, env, files, gpu, print }) {
  const imports = {};
  const buffer = () => memory.buffer;
  const text = (at, length) => new TextDecoder().decode(new Uint8Array(buffer(), at >>> 0, length >>> 0).slice());
  let exports;
  const deliver = ({ trouble, number, code, text: message }) => {
    const bytes = new TextEncoder().encode(message);
    const at = exports.weft_alloc(bytes.length || 1) >>> 0;
    new Uint8Array(buffer()).set(bytes, at);
    (trouble ? exports.weft_gpu_trouble : exports.weft_settle)(number, code, at, bytes.length);
  };
  const groups = {
    wasi_snapshot_preview1: wasi({ buffer, args, env, print }),
    weft_test: {
      wait() {
        if (!gpu) throw new Error("the program waits, and there is nobody who could answer");
        for (const answer of gpu.wait()) deliver(answer);
      },
      file_size: (at, length, folder) => files.size(text(at, length), folder !== 0),
      file_read(at) {
        const bytes = files.read();
        new Uint8Array(buffer()).set(bytes, at >>> 0);
      },
    },
  };
  for (const { module: group, name, kind } of WebAssembly.Module.imports(module)) {
    imports[group] ??= {};
    if (kind === "memory") imports[group][name] = memory;
    else if (group === "weft" && gpu)
      imports[group][name] = (...values) => {
        const { result, troubles } = gpu.call(name, values);
        troubles.forEach(deliver);
        return result;
      };

    else imports[group][name] = groups[group]?.[name];
    imports[group][name] ??= () => {
      throw new Error(`the program calls ${group}.${name}, which is not here`);
    };
  }
  const instance = await WebAssembly.instantiate(module, imports);
  exports = instance.exports;
  memory ??= exports.memory;
  try {
    exports._initialize();
    exports.weft_test_main();
  } catch (e) {
    if (e instanceof Exit) return e.status;
    throw e;
  }
  throw new Error("the program returned");
}

// As much of WASI as the C library asks for: arguments, variables, a clock, output.
function wasi({ buffer, args, env, print }) {
  const view = () => new DataView(buffer());
  const encoder = new TextEncoder();
  const lists = { args: args, environ: Object.entries(env).map(([name, value]) => `${name}=${value}`) };
  const bytesOf = (list) => list.map((text) => encoder.encode(`${text}\0`));
  const functions = {
    proc_exit(status) {
      throw new Exit(status);
    },
    fd_write(descriptor, vectors, count, written) {
      if (descriptor !== 1 && descriptor !== 2) return 8;
      let total = 0;
      const parts = [];
      for (let i = 0; i < count; ++i) {
        const at = view().getUint32(vectors + 8 * i, true);
        const length = view().getUint32(vectors + 8 * i + 4, true);
        parts.push(new Uint8Array(buffer(), at, length).slice());
        total += length;
      }
      print(parts.map((part) => new TextDecoder().decode(part)).join(""));
      view().setUint32(written, total, true);
      return 0;
    },
    clock_time_get(_clock, _precision, out) {
      view().setBigUint64(out, BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6)), true);
      return 0;
    },
    random_get(at, length) {
      const bytes = new Uint8Array(length);
      crypto.getRandomValues(bytes);
      new Uint8Array(buffer()).set(bytes, at >>> 0);
      return 0;
    },
    // Standard output is a stream of characters; there are no other files.
    fd_fdstat_get(descriptor, out) {
      if (descriptor > 2) return 8;
      new Uint8Array(buffer(), out, 24).fill(0);
      view().setUint8(out, 2);
      return 0;
    },
    fd_prestat_get: () => 8,
    fd_close: () => 0,
    fd_seek: () => 70,
    sched_yield: () => 0,
  };
  for (const name of ["args", "environ"]) {
    functions[`${name}_sizes_get`] = (count, size) => {
      const all = bytesOf(lists[name]);
      view().setUint32(count, all.length, true);
      view().setUint32(size, all.reduce((sum, bytes) => sum + bytes.length, 0), true);
      return 0;
    };
    functions[`${name}_get`] = (pointers, at) => {
      for (const bytes of bytesOf(lists[name])) {
        view().setUint32(pointers, at, true);
        new Uint8Array(buffer()).set(bytes, at);
        pointers += 4;
        at += bytes.length;
      }
      return 0;
    };
  }
  return functions;
}
