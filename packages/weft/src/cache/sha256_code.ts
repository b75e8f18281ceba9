// Writes the WebAssembly module of SHA-256's block function, about 9 KB: all 64 rounds in a row, so that the eight
// working words and the sixteen of the message schedule stay in locals and trade places by name instead of by moves.
// (A module written here needs no build step and no binary in the sources.)
//
//   memory: 0 … 31 the state's words; dataAt … the message. blocks(count): void
export const dataAt = 64;
export const dataBytes = 65536 - 64;

// The first 32 bits of the fractions of the roots of the first `count` primes.
export function fractions(count: number, root: (x: number) => number): Int32Array {
  const out = new Int32Array(count);
  for (let n = 2, i = 0; i < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
    if (prime) out[i++] = ((root(n) % 1) * 0x1_0000_0000) | 0;
  }
  return out;
}

type Code = number[];

// Instructions, by their numbers in the specification's binary format.
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const tee = (local: number): Code => [0x22, local];
const constant = (value: number): Code => [0x41, ...signed(value)];
const load = (address: number): Code => [0x28, 2, ...unsigned(address)];
const store = (address: number): Code => [0x36, 2, ...unsigned(address)];
const and = 0x71, or = 0x72, xor = 0x73, add = 0x6a, subtract = 0x6b, rotateLeft = 0x77, shiftRight = 0x76, rotateRight = 0x78;

function unsigned(value: number): Code {
  return value < 128 ? [value] : [value & 127 | 128, ...unsigned(value >>> 7)];
}
function signed(value: number): Code {
  return value >= -64 && value < 64 ? [value & 127] : [value & 127 | 128, ...signed(value >> 7)];
}

// Locals: the parameter (blocks left), where the message goes on, eight working words, sixteen of the schedule.
const left = 0, at = 1, work = 2, schedule = 10, locals = 25;
const w = (i: number) => schedule + i % 16;

// rotr(x, a) ^ rotr(x, b) ^ (rotr or shr)(x, c)
function sigma(x: number, a: number, b: number, c: number, last: number): Code {
  return [...get(x), ...constant(a), rotateRight, ...get(x), ...constant(b), rotateRight, xor, ...get(x), ...constant(c), last, xor];
}

// A word of the message, which counts its bytes from the other end.
function bigEndian(i: number): Code {
  return [...get(at), ...load(dataAt + 4 * i), ...tee(w(i)), ...constant(8), rotateLeft, ...constant(0x00ff00ff), and,
    ...get(w(i)), ...constant(8), rotateRight, ...constant(0xff00ff00 | 0), and, or, ...set(w(i))];
}

function round(i: number, k: number): Code {
  const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, (_, j) => work + (j + 64 - i) % 8) as
    [number, number, number, number, number, number, number, number];
  const word = i < 16 ? bigEndian(i) : [
    ...get(w(i)), ...sigma(w(i + 1), 7, 18, 3, shiftRight), add, ...get(w(i + 9)), add,
    ...sigma(w(i + 14), 17, 19, 10, shiftRight), add, ...set(w(i))];
  return [...word,
    // h += S1(e) + choose(e, f, g) + k + w
    ...get(h), ...sigma(e, 6, 11, 25, rotateRight), add, ...get(f), ...get(g), xor, ...get(e), and, ...get(g), xor, add,
    ...constant(k), add, ...get(w(i)), add, ...tee(h),
    // d += h; h += S0(a) + majority(a, b, c)
    ...get(d), add, ...set(d),
    ...get(h), ...sigma(a, 2, 13, 22, rotateRight), add,
    ...get(a), ...get(b), and, ...get(a), ...get(b), or, ...get(c), and, or, add, ...set(h)];
}

function body(): Code {
  const k = fractions(64, Math.cbrt);
  const eight = [0, 1, 2, 3, 4, 5, 6, 7];
  return [1, ...unsigned(locals), 0x7f, // one group of locals: 25 times i32
    0x03, 0x40, // loop
    ...eight.flatMap((i) => [...constant(0), ...load(4 * i), ...set(work + i)]),
    ...Array.from(k, (value, i) => round(i, value)).flat(),
    ...eight.flatMap((i) => [...constant(0), ...constant(0), ...load(4 * i), ...get(work + i), add, ...store(4 * i)]),
    ...get(at), ...constant(64), add, ...set(at),
    ...get(left), ...constant(1), subtract, ...tee(left), 0x0d, 0, // again if any are left
    0x0b, 0x0b];
}

export function sha256Module(): Uint8Array<ArrayBuffer> {
  const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
  const section = (id: number, bytes: Code): Code => [id, ...sized(bytes)];
  const name = (text: string): Code => sized([...text].map((c) => c.charCodeAt(0)));
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 1, 0x7f, 0]), // type: (i32) → ()
    ...section(3, [1, 0]), // one function of it
    ...section(5, [1, 0, 1]), // a memory of one page
    ...section(7, [2, ...name("memory"), 2, 0, ...name("blocks"), 0, 0]),
    ...section(10, [1, ...sized(body())]),
  ]);
}
