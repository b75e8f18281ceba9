import { Chat } from "./chat.js";
import { WeftError } from "./errors.js";
import { Generation } from "./generation.js";
import { completions, type Completions } from "./openai.js";
import type { EngineService, LoadedModel } from "./protocol.js";
import type {
  ChatMessage, ChatOptions, GenerateOptions, LoadOptions, ModelInfo, Prompt, TokenizeOptions,
} from "./types.js";

/** `model.chat(…)` begins a conversation; `model.chat.completions` has the shapes of OpenAI's service. */
export interface ChatFunction {
  (options?: ChatOptions): Chat;
  readonly completions: Completions;
}

/**
 * A loaded model, from `engine.load`.
 *
 * Its calls run one after the other, in the order in which they were made: one that comes while another runs waits for it.
 * Calls of different models run side by side. What a call shares with the beginning of the conversation before it is
 * not computed again; with option `sessions` of `load` as many conversations keep their state.
 */
export class Model {
  /** A conversation through the model's chat template. Error "no-template" where there is none. */
  readonly chat: ChatFunction;
  private info_: ModelInfo;
  private disposed = false;
  private conversations = 0;

  /** @internal */
  constructor(private readonly service: EngineService, private readonly loaded: LoadedModel, private readonly onDispose: () => void) {
    this.info_ = loaded.info;
    const begin = (options?: ChatOptions) => {
      this.needTemplate("chat");
      const conversation = ++this.conversations;
      return new Chat((messages, more) => this.answer(messages, more, conversation), options);
    };
    this.chat = Object.assign(begin, {
      completions: completions({
        name: this.info_.name || this.info_.file,
        answer: (messages, options) => {
          this.needTemplate("chat.completions.create");
          return this.answer(messages, options, 0);
        },
        pieces: (ids) => this.service.pieces(this.number("pieces"), ids),
      }),
    });
  }

  /** What it is, what it runs on and why, and how much memory it takes. */
  get info(): ModelInfo {
    return this.info_;
  }

  /**
   * Continues a text, or token ids as they are. An answer that is stopped ends normally, with reason "cancelled".
   *
   *     for await (const part of model.generate("Once upon a time", { maxTokens: 100, signal })) show(part.text);
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    const { signal, ...rest } = options;
    const given = typeof prompt === "string" ? { text: prompt } : { ids: [...prompt] };
    const request = { model: this.number("generate"), ...given, conversation: 0, options: rest };
    return new Generation((onParts, stop) => this.service.generate(request, onParts, stop), signal);
  }

  private answer(messages: readonly ChatMessage[], options: GenerateOptions, conversation: number): Generation {
    const { signal, ...rest } = options;
    const request = { model: this.number("chat"), messages, conversation, options: rest };
    return new Generation((onParts, stop) => this.service.generate(request, onParts, stop), signal);
  }

  async tokenize(text: string, options: TokenizeOptions = {}): Promise<number[]> {
    return this.service.tokenize(this.number("tokenize"), text, options);
  }

  /** Bytes that are no UTF-8 become U+FFFD. */
  async detokenize(ids: readonly number[]): Promise<string> {
    return this.service.detokenize(this.number("detokenize"), [...ids]);
  }

  /** The prompt that the chat template makes of a conversation, with the beginning of the answer. */
  async template(messages: readonly ChatMessage[]): Promise<string> {
    return this.service.template(this.number("template"), messages);
  }

  /** What the engine made of the model, as text: its graph, or the plan of a step of decoding or of reading a prompt. */
  async dump(what: "graph" | "decode" | "prefill"): Promise<string> {
    return this.service.dump(this.number("dump"), what);
  }

  /**
   * After the error "device-lost": loads the model again from where it came (the cache, the same file), makes its
   * pipelines anew and reads its conversations' tokens again. Only when asked: nothing is tried again by itself.
   */
  async recover({ onProgress, signal }: Pick<LoadOptions, "onProgress" | "signal"> = {}): Promise<this> {
    const model = this.number("recover");
    this.info_ = await this.service.recover(model, onProgress ?? (() => undefined), signal);
    return this;
  }

  /** Stops what runs and gives its memory back. Using it afterwards is an error, disposing of it again is not. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    this.onDispose();
    await this.service.unload(this.loaded.model);
  }

  private number(what: string): number {
    if (!this.disposed) return this.loaded.model;
    throw WeftError.of("invalid-argument", this.info_.file, what, "a model that is loaded", "one that was disposed", "load it again");
  }

  private needTemplate(what: string): void {
    if (this.info_.chatTemplate) return;
    throw new WeftError("no-template", `${this.info_.file}: ${what}: the model has no chat template`, {
      hint: "use model.generate", where: this.info_.file,
    });
  }
}
