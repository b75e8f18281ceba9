import type { GenerateResult, Part } from "./types.js";

/**
 * An answer on its way. It begins at once, whether or not anybody reads it.
 *
 *     const answer = model.generate("Once upon a time", { maxTokens: 100 });
 *     for await (const part of answer) show(part.text);      // leaving the loop stops it
 *     const { reason, stats } = await answer.result;
 */
export class Generation implements AsyncIterable<Part> {
  /** The whole answer. Rejects with what ended it; a stop by signal, `cancel()` or leaving the loop is no error. */
  readonly result: Promise<GenerateResult>;
  private readonly parts: Part[] = [];
  private readonly stopper = new AbortController();
  private ended = false;
  private failure: { error: unknown } | undefined;
  private waiting: (() => void)[] = [];

  /** @internal */
  constructor(
    start: (onParts: (parts: Part[]) => void, signal: AbortSignal) => Promise<GenerateResult>,
    signal?: AbortSignal | null,
  ) {
    const stop = () => this.stopper.abort();
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
    this.result = start((parts) => {
      this.parts.push(...parts);
      this.wake();
    }, this.stopper.signal);
    this.result.catch((error: unknown) => (this.failure = { error })).finally(() => {
      this.ended = true;
      signal?.removeEventListener("abort", stop);
      this.wake();
    });
  }

  /** Ends the answer: what was made stays, and the reason is "cancelled". */
  cancel(): void {
    this.stopper.abort();
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resume of waiting) resume();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Part, void, undefined> {
    try {
      for (let next = 0; ; ) {
        while (next < this.parts.length) yield this.parts[next++]!;
        if (this.ended) break;
        await new Promise<void>((resume) => this.waiting.push(resume));
      }
      if (this.failure) throw this.failure.error;
    } finally {
      if (!this.ended) this.cancel();
    }
  }
}
