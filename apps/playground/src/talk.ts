// The conversation: what was said, and the answer that is being made. Views watch it; the words themselves stay here.
import { WeftError, type ChatMessage, type GenerateOptions, type GenerateResult, type Model, type Statistics } from "weft";
import { Value } from "./dom";
import type { Room } from "./room";
import { settings } from "./settings";

export interface Turn {
  from: "person" | "model";
  text: string;
  /** Of an answer that is over. */
  stats?: Statistics;
  tokens?: number;
  reason?: GenerateResult["reason"];
  seed?: number;
}

/** What views are told while an answer is made; `turns` changes only at its ends. */
export interface Listener {
  begin(): void;
  part(text: string, tokens: number): void;
  end(result: GenerateResult | undefined): void;
}

export class Talk {
  readonly turns = new Value<readonly Turn[]>([]);
  readonly busy = new Value(false);
  readonly listeners: Listener[] = [];
  /** Takes words that no answer came to. */
  giveBack: (text: string) => void = () => {};
  private controller = new AbortController();
  private page = 0; // answers to an earlier page are dropped

  constructor(private readonly room: Room) {}

  /** Text goes to the model once it is loaded. */
  async send(text: string): Promise<void> {
    if (this.busy.get()) return;
    const turns = this.turns.get();
    if (text) this.turns.set([...turns, { from: "person", text: this.mode === "write" ? joined(turns, text) : text }]);
    await this.answer();
  }

  /** The last answer once more, with other luck. */
  async again(): Promise<void> {
    const turns = this.turns.get();
    if (this.busy.get() || turns.at(-1)?.from !== "model") return;
    this.turns.set(turns.slice(0, -1));
    await this.answer();
  }

  stop(): void {
    this.controller.abort();
  }

  clear(): void {
    this.stop();
    this.page++;
    this.turns.set([]);
  }

  get mode(): "chat" | "write" {
    const model = this.room.model.get();
    return model && !model.info.chatTemplate ? "write" : settings.get().mode;
  }

  private async answer(): Promise<void> {
    const { page } = this;
    const controller = (this.controller = new AbortController());
    this.busy.set(true);
    if (this.room.model.get()) this.room.trouble.set(undefined);
    const turn: Turn = { from: "model", text: "" };
    let result: GenerateResult | undefined;
    for (const listener of this.listeners) listener.begin();
    try {
      const model = await this.ready(controller.signal);
      const options: GenerateOptions = { ...sampling(), signal: controller.signal };
      const turns = this.turns.get();
      const run = this.mode === "write"
        ? model.generate(turns.map(({ text }) => text).join(""), options)
        : model.chat({ history: messages(turns.slice(0, -1)), ...systemOf() }).send(turns.at(-1)!.text, options);
      for await (const { text, id } of run) {
        turn.text += text;
        for (const listener of this.listeners) listener.part(text, id >= 0 ? 1 : 0);
      }
      result = await run.result;
      Object.assign(turn, { stats: result.stats, tokens: result.ids.length, reason: result.reason, seed: result.seed });
    } catch (e) {
      if (!WeftError.is(e, "cancelled") && !controller.signal.aborted) this.room.fail("The answer broke off", e);
    }
    this.busy.set(false);
    for (const listener of this.listeners) listener.end(result);
    if (page !== this.page) return;
    const turns = this.turns.get();
    const unanswered = !turn.text && !result && turns.at(-1)?.from === "person";
    this.turns.set(unanswered ? turns.slice(0, -1) : turn.text || result ? [...turns, turn] : turns);
    if (unanswered) this.giveBack(turns.at(-1)!.text);
  }

  /** The model, as soon as there is one. */
  private ready(signal: AbortSignal): Promise<Model> {
    const model = this.room.model.get();
    if (model) return Promise.resolve(model);
    return new Promise<Model>((resolve, reject) => {
      const stopped = () => reject(new WeftError("cancelled", "stopped"));
      signal.addEventListener("abort", stopped, { once: true });
      this.room.model.watch((loaded) => loaded && resolve(loaded));
      this.room.trouble.watch((trouble) => trouble && stopped());
    });
  }
}

function sampling(): GenerateOptions {
  const { temperature, topK, topP, minP, repeatPenalty, seed, maxTokens } = settings.get();
  return { temperature, topK, topP, minP, repeatPenalty, penaltyLastN: 128, maxTokens, ...(seed === null ? {} : { seed }) };
}

function systemOf(): { system?: string } {
  const system = settings.get().system.trim();
  return system ? { system } : {};
}

function messages(turns: readonly Turn[]): ChatMessage[] {
  return turns.map(({ from, text }) => ({ role: from === "person" ? "user" : "assistant", content: text }));
}

/** In a text that goes on, a new piece that begins with a word does not run into the last one. */
function joined(turns: readonly Turn[], text: string): string {
  const before = turns.at(-1)?.text ?? "";
  return /\S$/.test(before) && /^[\p{L}\p{N}"“‘(]/u.test(text) ? ` ${text}` : text;
}
