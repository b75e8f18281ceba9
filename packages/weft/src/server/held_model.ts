// A loaded model: its number in the core, its conversations' states, and who uses it now.
import type { CoreModel } from "../answers.js";
import type { Core } from "../core/module.js";
import { WeftError } from "../errors.js";
import type { LoadRequest } from "../protocol.js";
import type { ModelInfo } from "../types.js";
import { Turns } from "./turns.js";

/** The state of one conversation on the device. */
interface Slot {
  session: number;
  /** Who used it last; 0: calls without a conversation. */
  conversation: number;
  used: number;
}

export class HeldModel {
  readonly turns = new Turns();
  /** Ends what runs when the model goes. */
  readonly gone = new AbortController();
  private slots: Slot[] = [];
  private clock = 0;
  /** What each slot held when the device was lost, until it is back. */
  private lost: { ids: number[]; conversation: number; used: number }[] | undefined;

  constructor(readonly request: LoadRequest, private core: Core, public number: number, public answer: CoreModel, public info: ModelInfo) {}

  private get sessions(): number {
    return this.request.options.sessions ?? 1;
  }

  /** The session for a conversation: the one it had, else a new one while there is room, else the one unused longest. */
  async session(conversation: number): Promise<number> {
    if (this.lost) throw new WeftError("device-lost", `${this.info.file}: the device was lost`, { hint: "call model.recover()", where: this.info.file });
    let slot = this.slots.find((s) => s.conversation === conversation);
    if (!slot && this.slots.length < this.sessions) {
      const { session } = await this.core.call<{ session: number }>("open", { model: this.number });
      this.slots.push((slot = { session, conversation, used: 0 }));
    }
    slot ??= this.slots.reduce((oldest, s) => (s.used < oldest.used ? s : oldest));
    slot.conversation = conversation;
    slot.used = ++this.clock;
    return slot.session;
  }

  /** Before a reload: takes down what the conversations hold and gives the model's memory back. */
  async leave(): Promise<void> {
    if (this.lost) return;
    const lost: NonNullable<HeldModel["lost"]> = [];
    for (const { session, conversation, used } of this.slots) {
      const { ids } = await this.core.call<{ ids: number[] }>("tokens", { session });
      lost.push({ ids, conversation, used });
    }
    this.lost = lost;
    this.slots = [];
    await this.core.call("unload", { model: this.number });
  }

  /** After it: reads the conversations' tokens again. */
  async back(number: number, answer: CoreModel, info: ModelInfo, signal?: AbortSignal): Promise<void> {
    this.number = number;
    this.answer = answer;
    this.info = info;
    for (const { ids, conversation, used } of this.lost ?? []) {
      const { session } = await this.core.call<{ session: number }>("open", { model: number });
      this.slots.push({ session, conversation, used });
      if (ids.length > 0) await this.core.call("generate", { session, ids, options: { max_tokens: 0 } }, { signal });
    }
    this.lost = undefined;
  }

  /** Whether the core still has it. */
  get loaded(): boolean {
    return this.lost === undefined;
  }
}
