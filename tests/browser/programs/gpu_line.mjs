// The line between a program's worker, which blocks, and the worker that has the GPU: calls go one way, each waits for
// its result; answers to operations come back whenever the GPU has them, through a ring of shared memory.
//
// Shared words: 0: number of the last call that was done, 1: bytes ever written to the ring, 2: bytes ever read.

const words = 4; // two more for the result
const ringBytes = 1 << 22;
const patience = 300_000; // ms that a call or the GPU may take

export const newLine = () => new SharedArrayBuffer(4 * words + 8 + ringBytes);

class Ring {
  constructor(shared) {
    this.state = new Int32Array(shared, 0, words);
    this.result = new Float64Array(shared, 4 * words, 1);
    this.bytes = new Uint8Array(shared, 4 * words + 8);
  }
}

// The program's end.
export class GpuLine extends Ring {
  constructor(shared, port) {
    super(shared);
    this.port = port;
    this.calls = 0;
    this.waiting = []; // answers not delivered yet
  }

  // { result, troubles }: what the GPU's worker returned, and what it complained about meanwhile.
  call(name, values) {
    const number = ++this.calls;
    this.port.postMessage({ number, name, values });
    for (let done; (done = Atomics.load(this.state, 0)) !== number; )
      if (Atomics.wait(this.state, 0, done, patience) === "timed-out") throw new Error(`${name} took too long`);
    this.collect();
    const troubles = this.waiting.filter(({ trouble }) => trouble);
    this.waiting = this.waiting.filter(({ trouble }) => !trouble);
    return { result: this.result[0], troubles };
  }

  // Blocks until there is an answer: all that there are.
  wait() {
    this.collect();
    while (this.waiting.length === 0) {
      const seen = Atomics.load(this.state, 1);
      if (seen === Atomics.load(this.state, 2) && Atomics.wait(this.state, 1, seen, patience) === "timed-out")
        throw new Error("the GPU answers nothing");
      this.collect();
    }
    return this.waiting.splice(0);
  }

  collect() {
    let at = Atomics.load(this.state, 2);
    const end = Atomics.load(this.state, 1);
    const byte = () => this.bytes[at++ % ringBytes];
    const number = () => byte() | (byte() << 8) | (byte() << 16) | (byte() << 24);
    while (at !== end) {
      const length = number();
      this.waiting.push(JSON.parse(new TextDecoder().decode(Uint8Array.from({ length }, byte))));
    }
    Atomics.store(this.state, 2, at);
  }
}

// The GPU worker's end.
export class GpuLineEnd extends Ring {
  answer(answer) {
    const text = new TextEncoder().encode(JSON.stringify(answer));
    let at = Atomics.load(this.state, 1);
    if (at + 4 + text.length - Atomics.load(this.state, 2) > ringBytes) throw new Error("nobody takes the answers");
    for (let i = 0; i < 4; ++i) this.bytes[at++ % ringBytes] = text.length >> (8 * i);
    for (const byte of text) this.bytes[at++ % ringBytes] = byte;
    Atomics.store(this.state, 1, at);
    Atomics.notify(this.state, 1);
  }
  done(number, result) {
    this.result[0] = Number(result ?? 0);
    Atomics.store(this.state, 0, number);
    Atomics.notify(this.state, 0);
  }
}
