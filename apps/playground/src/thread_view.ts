// The conversation as it is seen. A running answer is one text node that grows, once a frame.
import type { GenerateResult } from "weft";
import { $, facts, h } from "./dom";
import type { Room } from "./room";
import { settings } from "./settings";
import type { Talk, Turn } from "./talk";
import { bytes, milliseconds, plural, speed } from "./words";

const reasons: Record<GenerateResult["reason"], string> = {
  "end-token": "the model ended", "stop-string": "a stop text came", "stop-token": "a stop token came",
  "max-tokens": "the limit of tokens was reached", "context-full": "the context is full", cancelled: "you stopped it",
};

export class ThreadView {
  private readonly thread = $("thread");
  private readonly list = $("turns");
  private running: { text: Text; article: HTMLElement } | undefined;
  private following = true; // the end is in sight and stays there
  private pending = "";
  private frame = 0;

  constructor(room: Room, private readonly talk: Talk) {
    talk.turns.watch(() => this.render());
    room.model.watch(() => this.render());
    settings.watch(() => this.render());
    new ResizeObserver(() => this.following && this.scroll()).observe(this.thread);
    this.thread.addEventListener("scroll", () => (this.following = this.atEnd()), { passive: true });
    talk.listeners.push({ begin: () => this.begin(), part: (text) => this.part(text), end: () => this.end() });
  }

  private render(): void {
    if (this.running) return;
    const turns = this.talk.turns.get();
    $("welcome").hidden = turns.length > 0;
    this.thread.dataset.mode = this.talk.mode;
    this.list.replaceChildren(...turns.map((turn, i) => this.turn(turn, i === turns.length - 1)));
    if (this.following) this.scroll();
  }

  private turn(turn: Turn, last: boolean): HTMLElement {
    const who = turn.from === "person" ? "You" : "Weft";
    const article = h("article", { class: `turn ${turn.from}`, "aria-label": who === "You" ? "You said" : "The model's answer" },
      h("span", { class: "who", "aria-hidden": "true" }, who.toLowerCase()), h("div", { class: "said" }, this.shown(turn.text)));
    if (turn.from === "model") article.append(this.after(turn, last));
    return article;
  }

  /** An answer stands for itself: the space that joins it to the words before is only seen where they are one text. */
  private shown(text: string): string {
    return this.talk.mode === "chat" ? text.trimStart() : text;
  }

  private after(turn: Turn, last: boolean): HTMLElement {
    const copy = h("button", { type: "button", class: "link", onclick: () => void this.copy(turn.text, copy) }, "Copy");
    const again = last && h("button", { type: "button", class: "link", onclick: () => void this.talk.again() }, "Another");
    const tools = h("span", { class: "after-tools" }, copy, again);
    const { stats } = turn;
    if (!stats) return h("footer", { class: "after" }, h("span", {}, "stopped"), tools);
    const tokens = turn.tokens ?? 0;
    const line = tokens === 0 ? "nothing: " + (turn.reason === "end-token" ? "the model takes this for finished" : "it ended at once")
      : `${tokens > 1 ? `${speed(stats.decodeTps)} tokens/s · ` : ""}first after ${milliseconds(stats.ttftMs)} · ${plural(tokens, "token")}`;
    const more = facts([
      ["Ended", turn.reason ? reasons[turn.reason] : ""],
      ["Prompt", `${plural(stats.prefillTokens, "token")} read at ${speed(stats.prefillTps)} a second` +
        (stats.keptTokens ? `, ${stats.keptTokens} known from before` : "")],
      ["Device", stats.device],
      ["Memory", `${bytes(stats.peakBytes)} at most`],
      ["Seed", String(turn.seed ?? "")],
    ]);
    return h("footer", { class: "after" }, h("details", {}, h("summary", {}, line), more), tools);
  }

  private async copy(text: string, button: HTMLElement): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser forbids it";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  private begin(): void {
    const text = document.createTextNode("");
    const article = h("article", { class: "turn model running", "aria-label": "The model's answer", "aria-busy": "true" },
      h("span", { class: "who", "aria-hidden": "true" }, "weft"), h("div", { class: "said" }, text));
    $("welcome").hidden = true;
    this.list.querySelectorAll(".after-tools").forEach((tools) => tools.remove());
    this.list.append(article);
    this.running = { text, article };
    this.following = true;
    this.scroll();
  }

  private part(text: string): void {
    this.pending += text;
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  private flush(): void {
    this.frame = 0;
    if (!this.running || !this.pending) return;
    this.running.text.appendData(this.running.text.length ? this.pending : this.shown(this.pending));
    this.pending = "";
    if (this.following) this.scroll();
  }

  private end(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.pending = "";
    this.running?.article.remove();
    this.running = undefined;
  }

  private atEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.thread;
    return scrollHeight - scrollTop - clientHeight < 80;
  }

  private scroll(): void {
    if (!this.list.firstChild) return; // the empty page begins at its top
    this.thread.scrollTop = this.thread.scrollHeight;
  }
}
