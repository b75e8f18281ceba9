// The sources that a load may open, by name, and those that the core has open, by number.
import { WeftError } from "../errors.js";

/** The part of a source that the core needs (sources/source.ts). */
export interface ReadableSource {
  readonly name: string;
  readonly size: number;
  read(offset: number, into: () => Uint8Array): true | Promise<void>;
}

export class SourceTable {
  private readonly named = new Map<string, ReadableSource>();
  private readonly opened = new Map<number, ReadableSource>();
  private last = 0;

  /** False if there is one of this name: its load is not over. */
  add(source: ReadableSource): boolean {
    if (this.named.has(source.name)) return false;
    this.named.set(source.name, source);
    return true;
  }
  remove(source: ReadableSource): void {
    if (this.named.get(source.name) === source) this.named.delete(source.name);
  }

  open(name: string): number {
    const source = this.named.get(name);
    if (!source) return 0;
    this.opened.set(++this.last, source);
    return this.last;
  }
  size(number: number): number {
    return this.opened.get(number)?.size ?? 0;
  }
  read(number: number, offset: number, into: () => Uint8Array): true | Promise<void> {
    const source = this.opened.get(number);
    if (!source) throw WeftError.of("internal", "source", "a read", "an open source", `number ${number}`);
    return source.read(offset, into);
  }
  close(number: number): void {
    this.opened.delete(number);
  }
}
