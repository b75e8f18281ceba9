// One at a time, in the order of asking.
//
//   const done = await turns.next(signal);     // rejects with "cancelled" if the signal comes while it waits
//   try { … } finally { done(); }
import { WeftError } from "../errors.js";

export class Turns {
  private last: Promise<void> = Promise.resolve();

  async next(signal?: AbortSignal): Promise<() => void> {
    const before = this.last;
    let done!: () => void;
    this.last = new Promise((resolve) => (done = resolve));
    try {
      await unlessAborted(before, signal);
    } catch (e) {
      void before.then(done);  // whoever comes later waits for those before, too
      throw e;
    }
    return done;
  }
}

export function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(new WeftError("cancelled", "stopped by its caller"));
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
