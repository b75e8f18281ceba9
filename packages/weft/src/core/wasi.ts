// The few functions of WASI that the C library asks for. There are no files, arguments or variables in here; what is
// written to standard error is what the library says before it gives up, and goes to `complain`.
import type { ImportFunctions } from "./abi.js";

const success = 0;
const badDescriptor = 8;
const notSupported = 58;

export interface WasiHost {
  buffer(): ArrayBufferLike;
  complain(text: string): void;
}

export class Exit extends Error {
  constructor(readonly status: number) {
    super(`the program ended with status ${status}`);
  }
}

export function wasiImports(host: WasiHost): ImportFunctions {
  const view = () => new DataView(host.buffer());
  return {
    fd_write(descriptor, vectors, count, written) {
      if (descriptor !== 1 && descriptor !== 2) return badDescriptor;
      let text = "";
      let total = 0;
      for (let i = 0; i < count!; ++i) {
        const address = view().getUint32(vectors! + 8 * i, true);
        const length = view().getUint32(vectors! + 8 * i + 4, true);
        text += new TextDecoder().decode(new Uint8Array(host.buffer(), address, length).slice());
        total += length;
      }
      view().setUint32(written!, total, true);
      host.complain(text);
      return success;
    },
    proc_exit(status): never {
      throw new Exit(status!);
    },
    clock_time_get(_clock, _precision, out) {
      view().setBigUint64(out!, BigInt(Math.round(performance.now() * 1e6)), true);
      return success;
    },
    random_get(address, length) {
      const bytes = new Uint8Array(length!);  // of its own: the generator takes no shared memory
      for (let at = 0; at < length!; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
      new Uint8Array(host.buffer(), address!, length).set(bytes);
      return success;
    },
    environ_sizes_get(count, size) {
      view().setUint32(count!, 0, true);
      view().setUint32(size!, 0, true);
      return success;
    },
    environ_get: () => success,
    args_sizes_get(count, size) {
      view().setUint32(count!, 0, true);
      view().setUint32(size!, 0, true);
      return success;
    },
    args_get: () => success,
    sched_yield: () => success,
    fd_close: () => badDescriptor,
    fd_read: () => badDescriptor,
    fd_seek: () => badDescriptor,
    fd_pread: () => badDescriptor,
    fd_fdstat_get: () => badDescriptor,
    fd_fdstat_set_flags: () => badDescriptor,
    fd_filestat_get: () => badDescriptor,
    fd_prestat_get: () => badDescriptor,
    fd_prestat_dir_name: () => badDescriptor,
    path_open: () => notSupported,
    path_filestat_get: () => notSupported,
    poll_oneoff: () => notSupported,
  };
}
