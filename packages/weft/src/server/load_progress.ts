// One account of a load out of two: how the bytes arrive (sources) and how they reach the device (core).
import type { Progress as Arrival } from "../sources/source.js";
import type { Progress } from "../types.js";

const interval = 100;  // ms between two reports

export class LoadProgress {
  private told = -Infinity;
  private phase: Progress["phase"] | undefined;
  private began = 0;
  private arriving = false;
  private cached = false;

  constructor(private readonly report: (progress: Progress) => void) {
    this.tell("connecting", 0, 0, 0, null);
  }

  /** Of the sources: counts while a download is under way. */
  arrived(arrival: Arrival): void {
    this.cached = arrival.from === "cache" || arrival.from === "file";
    this.arriving = !this.cached && (arrival.total === 0 || arrival.loaded < arrival.total);
    if (this.cached || this.phase === "loading") return;
    const { loaded, total, bytesPerSecond, secondsLeft } = arrival;
    if (loaded > 0) this.tell("downloading", loaded, total, bytesPerSecond, Number.isFinite(secondsLeft) ? secondsLeft : null);
  }

  verifying(loaded: number, total: number): void {
    this.cached = true;
    this.measured("verifying", loaded, total);
  }

  /** Of the core: weights that are on the device. They go there as they arrive. */
  loaded(done: number, total: number): void {
    if (!this.arriving) this.measured("loading", done, total);
  }

  ready(total: number): void {
    this.tell("ready", total, total, 0, 0);
  }

  private measured(phase: Progress["phase"], done: number, total: number): void {
    if (this.phase !== phase) this.began = performance.now();
    const seconds = (performance.now() - this.began) / 1000;
    const speed = seconds > 0.05 ? done / seconds : 0;
    this.tell(phase, done, total, speed, speed > 0 ? (total - done) / speed : null);
  }

  private tell(phase: Progress["phase"], loaded: number, total: number, bytesPerSecond: number, secondsLeft: number | null): void {
    const now = performance.now();
    if (phase === this.phase && now - this.told < interval && loaded < total) return;
    this.phase = phase;
    this.told = now;
    this.report({ phase, loaded, total, bytesPerSecond, secondsLeft, cached: this.cached });
  }
}
