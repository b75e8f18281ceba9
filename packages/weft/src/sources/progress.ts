// Speed and time left of a download of several files, told at most ten times a second.
//
//   const meter = new ProgressMeter(onProgress);
//   meter.part(name, size, 0, "network"); meter.set(name, loaded, "network"); … meter.tell();
import type { Origin, Progress } from "./source.js";

const interval = 100; // ms between two reports
const memory = 3000; // ms that the speed looks back

export class ProgressMeter {
  private readonly parts = new Map<string, { loaded: number; size: number; origin: Origin }>();
  private samples: { time: number; bytes: number }[] = [];
  private moved = 0; // bytes of this load
  private told = -Infinity;

  constructor(
    private readonly report: ((progress: Progress) => void) | undefined,
    private readonly now: () => number = () => performance.now(),
  ) {}

  // A part and how much of it is there already.
  part(name: string, size: number, loaded: number, origin: Origin): void {
    this.parts.set(name, { loaded, size: Math.max(size, 0), origin });
  }

  set(name: string, loaded: number, origin: Origin): void {
    const part = this.parts.get(name);
    if (!part) return;
    if (origin === part.origin) this.moved += Math.max(loaded - part.loaded, 0);
    part.loaded = loaded;
    part.origin = origin;
    if (this.now() - this.told >= interval) this.tell();
  }

  end(name: string, size: number): void {
    const part = this.parts.get(name);
    if (!part) return;
    part.size = size;
    this.set(name, size, part.origin);
    this.tell();
  }

  tell(): void {
    const time = this.now();
    this.told = time;
    this.samples.push({ time, bytes: this.moved });
    while (this.samples.length > 2 && time - this.samples[0]!.time > memory) this.samples.shift();
    this.report?.(this.progress());
  }

  private progress(): Progress {
    const parts = [...this.parts.values()];
    const loaded = parts.reduce((sum, part) => sum + part.loaded, 0);
    const total = parts.some((part) => part.size === 0) ? 0 : parts.reduce((sum, part) => sum + part.size, 0);
    const first = this.samples[0]!, last = this.samples[this.samples.length - 1]!;
    const seconds = (last.time - first.time) / 1000;
    const bytesPerSecond = seconds > 0 ? (last.bytes - first.bytes) / seconds : 0;
    const left = total - loaded;
    const secondsLeft = total > 0 && left === 0 ? 0 : bytesPerSecond > 0 && total > 0 ? left / bytesPerSecond : NaN;
    const waiting = parts.find((part) => part.loaded < part.size || part.size === 0);
    return { loaded, total, bytesPerSecond, secondsLeft, from: (waiting ?? parts[parts.length - 1])?.origin ?? "file" };
  }
}
