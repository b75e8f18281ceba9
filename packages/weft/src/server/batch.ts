// Gathers what comes often into few messages: the first at once, then at most one every 16 ms, which is a frame. What
// comes within one turn of the event loop (a burst of a GPU) is one message in any case.
//
//   const parts = new Batch<Part>(send);   parts.add(part); …   parts.flush();
const frame = 16;

export class Batch<T> {
  private items: T[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private queued = false;
  private sent = -Infinity;

  constructor(private readonly send: (items: T[]) => void) {}

  add(item: T): void {
    this.items.push(item);
    if (this.queued || this.timer !== undefined) return;
    const wait = this.sent + frame - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.flush(), wait);
    } else {
      this.queued = true;
      queueMicrotask(() => this.flush());
    }
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.queued = false;
    if (this.items.length === 0) return;
    const items = this.items;
    this.items = [];
    this.sent = performance.now();
    this.send(items);
  }
}
