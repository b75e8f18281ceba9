// The band above the text field: a piece of twill. While a model loads it is woven from left to right; while an answer is
// made every pick is as high as the speed at that moment; afterwards the whole answer is drawn over the whole band.
import { $ } from "./dom";
import type { Loading } from "./room";
import { speed } from "./words";

const space = "http://www.w3.org/2000/svg";
const width = 6; // of a pick and its gap, in pixels
const height = 44;
const shortest = 20; // ms that a pick stands for, at first
const window = 24; // tokens that the speed looks back on

export class Pulse {
  private readonly svg = $<SVGSVGElement>("pulse");
  private readonly picks: SVGLineElement[] = [];
  private speeds: number[] = [];
  private times: number[] = [];
  private interval = shortest;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    for (let y = 4; y < height; y += 6) this.line("warp", 0, y, 4000, y);
    new ResizeObserver(() => this.fit()).observe(this.svg);
    this.fit();
  }

  loading(loading: Loading | undefined): void {
    if (this.timer) return;
    if (!loading) {
      if (this.svg.dataset.state === "loading") this.svg.dataset.state = "rest";
      return;
    }
    const { loaded, total, phase } = loading.progress;
    const share = phase === "ready" ? 1 : total > 0 ? loaded / total : 0;
    this.svg.dataset.state = "loading";
    this.draw(this.picks.map((_, i) => (i < Math.round(share * this.picks.length) ? 1 : 0)), 1);
  }

  begin(): void {
    this.speeds = [];
    this.times = [];
    this.svg.dataset.state = "running";
    this.interval = shortest;
    this.draw([], 1);
    this.run();
  }

  token(): void {
    this.times.push(performance.now());
    if (this.times.length > window) this.times.shift();
  }

  end(tokensPerSecond: number | undefined): void {
    this.tick();
    clearInterval(this.timer);
    this.timer = undefined;
    this.svg.dataset.state = "done";
    const known = this.speeds.filter((value) => value > 0);
    const mean = tokensPerSecond ?? known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
    $("reading").textContent = mean > 0 ? speed(mean) : "–";
    const spread = known.length ? `, between ${speed(Math.min(...known))} and ${speed(Math.max(...known))}` : "";
    this.svg.setAttribute("aria-label", mean > 0 ? `Speed of the last answer: ${speed(mean)} tokens a second${spread}` : "Speed: nothing made yet");
    this.stretch();
  }

  private run(): void {
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), this.interval);
  }

  private tick(): void {
    const { times } = this;
    const first = times[0], count = times.length;
    // With a pause after the last token the speed goes down, even if no other token comes.
    const value = first === undefined || count < 2 ? 0 : ((count - 1) / Math.max(1, performance.now() - first)) * 1000;
    if (this.speeds.length > 0 || value > 0) this.speeds.push(value);
    if (value > 0) $("reading").textContent = speed(value);
    if (this.speeds.length > this.picks.length) {
      // The band is full: from now on a pick stands for twice the time.
      this.speeds = this.speeds.filter((_, i) => i % 2 === 1);
      this.interval *= 2;
      this.run();
    }
    this.draw(this.speeds, Math.max(...this.speeds, 1) * 1.08);
  }

  private stretch(): void {
    const { speeds, picks } = this;
    const shown = picks.map((_, i) => speeds[Math.floor((i * speeds.length) / picks.length)] ?? 0);
    this.draw(shown, Math.max(...shown, 1) * 1.08);
  }

  /** One value a pick, from 0 to `top`. */
  private draw(values: readonly number[], top: number): void {
    this.picks.forEach((pick, i) => {
      const value = values[i] ?? 0;
      pick.setAttribute("y2", String(height - Math.round((value / top) * height)));
      pick.style.visibility = value > 0 ? "visible" : "hidden";
    });
  }

  private fit(): void {
    const wanted = Math.max(1, Math.floor(this.svg.clientWidth / width));
    while (this.picks.length > wanted) this.picks.pop()?.remove();
    while (this.picks.length < wanted) {
      const i = this.picks.length, x = i * width + width / 2;
      const pick = this.line("pick", x, height, x, height);
      pick.setAttribute("stroke-dashoffset", String((i % 4) * 3)); // a step to the side each time: twill
      pick.style.visibility = "hidden";
      this.picks.push(pick);
    }
    if (this.svg.dataset.state === "done") this.stretch();
  }

  private line(name: string, x1: number, y1: number, x2: number, y2: number): SVGLineElement {
    const line = document.createElementNS(space, "line");
    for (const [key, value] of Object.entries({ class: name, x1, y1, x2, y2 })) line.setAttribute(key, String(value));
    this.svg.append(line);
    return line;
  }
}
