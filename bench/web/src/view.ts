// The report as a table and bars.
import type { Figure, Row } from "./report.js";

function element(name: string, text = "", className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
const megabytes = (bytes: number): string => (bytes ? (bytes / 1e6).toFixed(0) : "–");

function cell(value: Figure | null): HTMLElement {
  const made = element("td", value ? digits(value.median) : "–");
  if (value && value.high > value.low) made.append(element("small", `${digits(value.low)} – ${digits(value.high)}`));
  return made;
}

function table(rows: Row[]): HTMLElement {
  const made = element("table"), head = element("tr");
  for (const title of ["Engine", "Load cold, ms", "warm, ms", "First token, ms", "Prefill, tok/s", "Decode, tok/s", "Page, MB",
    "Process, MB", "GPU process, MB", "Ran on"]) head.append(element("th", title));
  made.append(head);
  for (const row of rows) {
    const line = element("tr");
    line.append(element("td", row.name));
    if (row.error) {
      const failed = element("td", row.error, "failed") as HTMLTableCellElement;
      failed.colSpan = 9;
      line.append(failed);
    } else {
      line.append(element("td", row.coldMs === null ? "–" : row.coldMs.toFixed(0)), cell(row.warmMs), cell(row.ttftMs), cell(row.prefillTps),
        cell(row.decodeTps), element("td", megabytes(row.pageBytes)), element("td", megabytes(row.rssBytes)),
        element("td", megabytes(row.gpuRssBytes)), element("td", row.device, "text"));
    }
    made.append(line);
  }
  const wide = element("div", "", "wide");
  wide.append(made);
  return wide;
}

function bars(title: string, rows: Row[], of: (row: Row) => Figure | null): HTMLElement {
  const made = element("section"), grid = element("div", "", "bars");
  const highest = Math.max(...rows.map((r) => (r.error ? 0 : (of(r)?.median ?? 0))), 1e-9);
  for (const row of rows) {
    const value = row.error ? null : of(row);
    if (!value) continue;
    const bar = element("i", "", row.name.startsWith("weft") ? "weft" : ""), line = element("span");
    bar.style.width = `${(80 * value.median) / highest}%`;
    line.append(bar, digits(value.median));
    grid.append(element("span", row.name), line);
  }
  made.append(element("h2", title), grid);
  return made;
}

export function show(into: HTMLElement, rows: Row[]): void {
  into.replaceChildren(table(rows), bars("Prefill, tokens a second", rows, (r) => r.prefillTps),
    bars("Decode, tokens a second", rows, (r) => r.decodeTps));
}

/** The same for a terminal. */
export function lines(rows: Row[]): string {
  const spread = (f: Figure | null): string => (f ? `${digits(f.median)} (${digits(f.low)}–${digits(f.high)})` : "–");
  return rows.map((r) => r.error
    ? `${r.name.padEnd(34)} FAILED: ${r.error}`
    : `${r.name.padEnd(34)} load ${r.coldMs?.toFixed(0) ?? "–"} cold, ${r.warmMs?.median.toFixed(0) ?? "–"} warm ms; first token ${spread(r.ttftMs)} ms; `
      + `prefill ${spread(r.prefillTps)}; decode ${spread(r.decodeTps)} tok/s${r.submitUs ? `, ${spread(r.submitUs)} us a token to submit` : ""}; ${megabytes(r.rssBytes)} MB; ${r.device}`).join("\n");
}
