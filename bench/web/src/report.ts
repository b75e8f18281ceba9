// Samples → rows: one an engine and setting, medians and spreads over all rounds.
import type { Run, Sample } from "./types.js";

export interface Figure {
  median: number;
  low: number;
  high: number;
}

export interface Row {
  name: string;
  device: string;
  adapter: string;
  coldMs: number | null;
  warmMs: Figure | null;
  ttftMs: Figure | null;
  prefillTps: Figure | null;
  decodeTps: Figure | null;
  /** Microseconds of the engine's thread to hand one token to the GPU, where the engine says so. */
  submitUs: Figure | null;
  pageBytes: number;
  rssBytes: number;
  gpuRssBytes: number;
  samples: number;
  error: string;
}

export function figure(values: number[]): Figure | null {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, low: sorted[0]!, high: sorted.at(-1)! };
}

export function nameOf({ engine, gpu, threads, dtype }: Pick<Sample, "engine" | "gpu" | "threads" | "dtype">): string {
  const format = dtype && engine === "transformers.js" ? ` ${dtype}` : "";
  return `${engine}${format} ${gpu ? "GPU" : `CPU ${threads} thread${threads > 1 ? "s" : ""}`}`;
}

export function rows(samples: Sample[]): Row[] {
  const groups = Map.groupBy(samples, nameOf);
  return [...groups].map(([name, group]) => {
    const runs = group.flatMap((s) => s.runs);
    const of = (key: "ttftMs" | "prefillTps" | "decodeTps"): Figure | null => figure(runs.map((r: Run) => r[key]));
    const loaded = group.filter((s) => s.loadMs > 0);
    const highest = (key: "pageBytes" | "rssBytes" | "gpuRssBytes"): number => Math.max(0, ...group.map((s) => s[key] ?? 0));
    return {
      name, device: group.find((s) => s.device)?.device?.name ?? "", adapter: group[0]!.adapter,
      coldMs: loaded.find((s) => s.cold)?.loadMs ?? null, warmMs: figure(loaded.filter((s) => !s.cold).map((s) => s.loadMs)),
      ttftMs: of("ttftMs"), prefillTps: of("prefillTps"), decodeTps: of("decodeTps"),
      submitUs: figure(runs.flatMap((r) => r.own?.submitUs || [])),
      pageBytes: highest("pageBytes"), rssBytes: highest("rssBytes"), gpuRssBytes: highest("gpuRssBytes"),
      samples: group.length, error: group.find((s) => s.error)?.error ?? "",
    };
  });
}
