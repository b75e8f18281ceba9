// Where the person writes: Enter sends, Shift+Enter makes a line, Escape stops.
import { $ } from "./dom";
import type { Room } from "./room";
import { change, settings } from "./settings";
import type { Talk } from "./talk";

export class Composer {
  private readonly words = $<HTMLTextAreaElement>("words");

  constructor(private readonly room: Room, private readonly talk: Talk) {
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.words.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    this.words.addEventListener("input", () => this.fit());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && talk.busy.get()) talk.stop();
    });
    $("stop").addEventListener("click", () => talk.stop());
    $("fresh").addEventListener("click", () => {
      talk.clear();
      this.words.focus();
    });
    for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="mode"]'))
      radio.addEventListener("change", () => change({ mode: radio.value as "chat" | "write" }));
    talk.giveBack = (text) => {
      if (!this.words.value) this.words.value = text.trim();
      this.fit();
    };
    talk.busy.watch(() => this.show());
    talk.turns.watch(() => this.show());
    settings.watch(() => this.show());
    room.model.watch(() => this.show());
  }

  /** Puts a text where the person would have typed it, and sends it. */
  use(text: string): void {
    this.words.value = text;
    this.send();
  }

  private send(): void {
    const text = this.talk.mode === "chat" ? this.words.value.trim() : this.words.value;
    if (this.talk.busy.get() || (!text.trim() && !this.mayContinue())) return;
    this.words.value = "";
    this.fit();
    void this.talk.send(text.trim() ? text : "");
  }

  private mayContinue(): boolean {
    return this.talk.mode === "write" && this.talk.turns.get().length > 0;
  }

  private show(): void {
    const busy = this.talk.busy.get(), { mode } = this.talk;
    const model = this.room.model.get();
    $("send").hidden = busy;
    $("stop").hidden = !busy;
    $("send").textContent = this.mayContinue() ? "Go on" : mode === "write" ? "Write" : "Send";
    this.words.placeholder = mode === "chat" ? "Say something" : this.mayContinue() ? "Add words, or go on without" : "Begin a text";
    for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="mode"]')) {
      radio.checked = radio.value === mode;
      const absent = radio.value === "chat" && model !== undefined && !model.info.chatTemplate;
      radio.disabled = busy || absent;
      radio.parentElement?.classList.toggle("absent", absent);
      radio.parentElement?.setAttribute("title", absent ? "This model's file has no chat template" : "");
    }
    this.fit();
  }

  private fit(): void {
    this.words.style.height = "auto";
    this.words.style.height = `${Math.min(this.words.scrollHeight, 180)}px`;
  }
}
