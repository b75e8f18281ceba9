// SHA-256 (FIPS 180-4) of a stream: crypto.subtle only takes whole messages. Its state can be saved and resumed, so a
// download that was broken off goes on without its first part being read again.
//
//   const hash = new Sha256();
//   for (const chunk of chunks) hash.update(chunk);
//   hash.hex();                                             // "ba7816bf 8f01cfea …" without spaces; hash goes on
//   const later = Sha256.resume(hash.state());
const K = roundConstants();

// The first 32 bits of the fractions of the cube roots of the first 64 primes.
function roundConstants(): Int32Array {
  const out = new Int32Array(64);
  for (let n = 2, i = 0; i < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n && prime; d++) prime = n % d !== 0;
    if (prime) out[i++] = fraction(Math.cbrt(n));
  }
  return out;
}
function fraction(x: number): number {
  return ((x - Math.floor(x)) * 0x1_0000_0000) | 0;
}

export class Sha256 {
  // The fractions of the square roots of the first eight primes.
  private readonly h = Int32Array.from([2, 3, 5, 7, 11, 13, 17, 19], (p) => fraction(Math.sqrt(p)));
  private readonly tail = new Uint8Array(64); // bytes of a block that is not whole yet
  private readonly w = new Int32Array(64);
  private bytes = 0;

  // How many bytes were hashed.
  get length(): number {
    return this.bytes;
  }

  update(data: Uint8Array): this {
    let at = 0;
    const have = this.bytes % 64;
    this.bytes += data.length;
    if (have > 0) {
      at = Math.min(64 - have, data.length);
      this.tail.set(data.subarray(0, at), have);
      if (have + at < 64) return this;
      this.blocks(this.tail, 0, 64);
    }
    const whole = at + Math.floor((data.length - at) / 64) * 64;
    this.blocks(data, at, whole);
    this.tail.set(data.subarray(whole));
    return this;
  }

  hex(): string {
    const end = Sha256.resume(this.state());
    const have = this.bytes % 64;
    const padding = new Uint8Array((have < 56 ? 64 : 128) - have);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(this.bytes / 0x2000_0000));
    view.setUint32(padding.length - 4, this.bytes * 8 >>> 0);
    end.update(padding);
    return hexOf(end.h);
  }

  // A short text: the eight words, the bytes of the unfinished block and the length.
  state(): string {
    const tail = Array.from(this.tail.subarray(0, this.bytes % 64), (b) => b.toString(16).padStart(2, "0")).join("");
    return `${hexOf(this.h)}.${tail}.${this.bytes}`;
  }

  static resume(state: string): Sha256 {
    const [words = "", tail = "", bytes = ""] = state.split(".");
    const hash = new Sha256();
    for (let i = 0; i < 8; i++) hash.h[i] = parseInt(words.slice(8 * i, 8 * i + 8), 16) | 0;
    for (let i = 0; i < tail.length / 2; i++) hash.tail[i] = parseInt(tail.slice(2 * i, 2 * i + 2), 16);
    hash.bytes = Number(bytes);
    return hash;
  }

  static hex(data: Uint8Array): string {
    return new Sha256().update(data).hex();
  }

  private blocks(data: Uint8Array, from: number, to: number): void {
    const w = this.w, h = this.h;
    let h0 = h[0]!, h1 = h[1]!, h2 = h[2]!, h3 = h[3]!, h4 = h[4]!, h5 = h[5]!, h6 = h[6]!, h7 = h[7]!;
    for (let at = from; at < to; at += 64) {
      for (let i = 0, p = at; i < 16; i++, p += 4)
        w[i] = (data[p]! << 24) | (data[p + 1]! << 16) | (data[p + 2]! << 8) | data[p + 3]!;
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15]!, y = w[i - 2]!;
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
      }
      let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, hh = h7;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (hh + s1 + (g ^ (e & (f ^ g))) + K[i]! + w[i]!) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
        hh = g, g = f, f = e, e = (d + t1) | 0, d = c, c = b, b = a, a = (t1 + t2) | 0;
      }
      h0 = (h0 + a) | 0, h1 = (h1 + b) | 0, h2 = (h2 + c) | 0, h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0, h5 = (h5 + f) | 0, h6 = (h6 + g) | 0, h7 = (h7 + hh) | 0;
    }
    h[0] = h0, h[1] = h1, h[2] = h2, h[3] = h3, h[4] = h4, h[5] = h5, h[6] = h6, h[7] = h7;
  }
}

function hexOf(words: Int32Array): string {
  return Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, "0")).join("");
}
