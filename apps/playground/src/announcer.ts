// What a screen reader says of an answer: whole sentences, a few seconds apart, instead of every token.
import { $, h } from "./dom";

const pause = 3000; // ms between two messages
const kept = 20; // messages

export class Announcer {
  private text = "";
  private last = 0;

  begin(): void {
    this.text = "";
    this.last = performance.now();
    $("spoken").replaceChildren();
  }

  add(text: string): void {
    this.text += text;
    const now = performance.now();
    if (now - this.last < pause) return;
    const end = /^[\s\S]*[.!?…。！？]["'”’)]*(?=\s)/.exec(this.text)?.[0].length;
    if (!end) return;
    this.last = now;
    this.say(this.text.slice(0, end));
    this.text = this.text.slice(end);
  }

  end(words: string): void {
    if (this.text.trim()) this.say(this.text);
    this.text = "";
    this.say(words);
  }

  private say(text: string): void {
    const log = $("spoken");
    log.append(h("p", {}, text.trim()));
    while (log.childElementCount > kept) log.firstElementChild?.remove();
  }
}
