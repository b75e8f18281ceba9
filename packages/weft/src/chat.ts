import { WeftError } from "./errors.js";
import { Generation } from "./generation.js";
import type { ChatMessage, ChatOptions, GenerateOptions, GenerateResult, Part } from "./types.js";

/** How a conversation is answered: by Model. */
export type Answer = (messages: readonly ChatMessage[], options: GenerateOptions) => Generation;

/**
 * A conversation. What the model has read of it is not read again.
 *
 *     const chat = model.chat({ system: "Answer in one sentence." });
 *     for await (const part of chat.send("Why is the sky blue?")) show(part.text);
 *     chat.history;                       // system, user and assistant messages so far
 */
export class Chat {
  /** All messages so far, the system message first. Read it, keep it, give it to `model.chat({ history })` again. */
  readonly history: ChatMessage[] = [];
  private readonly defaults: GenerateOptions;
  private answering = false;

  /** @internal */
  constructor(private readonly answer: Answer, options: ChatOptions = {}) {
    const { system, history, ...defaults } = options;
    this.defaults = defaults;
    if (system !== undefined) this.history.push({ role: "system", content: system });
    if (history) this.history.push(...history.map((message) => ({ ...message })));
  }

  /**
   * Says something and gives the answer, both of which join the history: the answer as far as it came if it is stopped,
   * neither of them after an error. One at a time: read one answer to its end before the next message.
   */
  send(message: string | ChatMessage, options: GenerateOptions = {}): Generation {
    if (this.answering)
      throw WeftError.of("invalid-argument", "chat", "send", "a conversation whose last answer has ended", "one that is being answered",
        "await the answer's result, or cancel it first");
    this.answering = true;
    const asked = typeof message === "string" ? { role: "user", content: message } : { ...message };
    this.history.push(asked);
    const signal = options.signal ?? this.defaults.signal;
    const run = async (onParts: (parts: Part[]) => void, stop: AbortSignal): Promise<GenerateResult> => {
      try {
        const inner = this.answer([...this.history], { ...this.defaults, ...options, signal: stop });
        for await (const part of inner) onParts([part]);
        const result = await inner.result;
        this.history.push({ role: "assistant", content: result.text });
        return result;
      } catch (e) {
        this.history.splice(this.history.indexOf(asked), 1);
        throw e;
      } finally {
        this.answering = false;
      }
    };
    return new Generation(run, signal);
  }
}
