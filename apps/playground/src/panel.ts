// The controls: four panes behind tabs, beside the conversation on a wide screen and over it on a small one.
import { $ } from "./dom";

export type Tab = "model" | "device" | "settings" | "storage";
const names: readonly Tab[] = ["model", "device", "settings", "storage"];

export class Panel {
  private readonly root = $("panel");
  private readonly wide = matchMedia("(min-width: 62rem)");
  private readonly shown = new Map<Tab, () => void>();
  private back: HTMLElement | null = null;

  constructor() {
    for (const name of names) this.tab(name).addEventListener("click", () => this.select(name));
    this.root.querySelector('[role="tablist"]')?.addEventListener("keydown", (event) => this.onKey(event as KeyboardEvent));
    $("open-panel").addEventListener("click", () => (this.isOpen ? this.close() : this.open()));
    $("close-panel").addEventListener("click", () => this.close());
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.wide.matches) return;
      event.stopPropagation();
      this.close();
    });
    this.wide.addEventListener("change", () => this.apply(this.wide.matches));
    this.select("model");
    this.apply(this.wide.matches);
  }

  /** Shows a pane, and the controls if they are closed. */
  open(name?: Tab): void {
    this.back = document.activeElement as HTMLElement | null;
    if (name) this.select(name);
    this.apply(true);
    const current = names.find((tab) => this.tab(tab).getAttribute("aria-selected") === "true") ?? "model";
    this.tab(current).focus();
  }

  close(): void {
    this.apply(false);
    (this.back?.isConnected ? this.back : $("open-panel")).focus();
  }

  /** Calls `show` each time that this pane comes into view. */
  onShow(name: Tab, show: () => void): void {
    this.shown.set(name, show);
  }

  private get isOpen(): boolean {
    return !this.root.hidden;
  }

  private apply(open: boolean): void {
    this.root.hidden = !open;
    document.body.classList.toggle("panel-open", open);
    $("open-panel").setAttribute("aria-expanded", String(open));
    // Over the conversation it is the only thing that can be reached.
    for (const id of ["main", "drop"]) $(id).inert = open && !this.wide.matches;
  }

  private select(name: Tab): void {
    for (const other of names) {
      const chosen = other === name;
      this.tab(other).setAttribute("aria-selected", String(chosen));
      this.tab(other).tabIndex = chosen ? 0 : -1;
      $(`pane-${other}`).hidden = !chosen;
    }
    this.shown.get(name)?.();
  }

  private onKey(event: KeyboardEvent): void {
    const now = names.findIndex((name) => this.tab(name) === document.activeElement);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: names.length - 1 }[event.key];
    if (now < 0 || next === undefined) return;
    event.preventDefault();
    const name = names[(next + names.length) % names.length]!;
    this.select(name);
    this.tab(name).focus();
  }

  private tab(name: Tab): HTMLElement {
    return $(`tab-${name}`);
  }
}
