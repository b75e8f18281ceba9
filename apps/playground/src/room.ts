// The engine, the one model that is loaded, and what may go wrong with them.
//
//   const room = new Room();  await room.open(builtIn);  room.model.watch(show);  room.cancel();
import { createEngine, WeftError, type Engine, type Model, type ModelSource, type Progress } from "weft";
import { defaultModel, defaultModelName } from "./default_model";
import { Value } from "./dom";
import { settings } from "./settings";
import { fileOf } from "./words";

/** Something to load, and how it is called until the file says it. */
export type Wanted = { kind: "built-in" } | { kind: "source"; source: ModelSource; label: string; cache: boolean };
export const builtIn: Wanted = { kind: "built-in" };

export interface Loading {
  label: string;
  progress: Progress;
}

/** An error, and the ways out of it that the page offers. */
export interface Trouble {
  title: string;
  message: string;
  hint: string;
  ways: { label: string; go: () => void }[];
}

const waiting: Progress = { phase: "connecting", loaded: 0, total: 0, bytesPerSecond: 0, secondsLeft: null, cached: false };

export class Room {
  readonly engine = new Value<Engine | undefined>(undefined);
  readonly model = new Value<Model | undefined>(undefined);
  readonly loading = new Value<Loading | undefined>(undefined);
  readonly trouble = new Value<Trouble | undefined>(undefined);
  wanted: Wanted = builtIn;
  /** Opens a part of the controls, for ways out that lead there. */
  openTab: (tab: "model" | "device" | "settings" | "storage") => void = () => {};
  private controller = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();

  /** What the loaded or wanted model is called. */
  get label(): string {
    const { wanted } = this;
    return wanted.kind === "built-in" ? defaultModelName : this.model.get()?.info.name || wanted.label;
  }

  /** Loads it in place of the model there is; a load that still runs is ended. Resolves when it is over, well or not. */
  open(wanted: Wanted): Promise<void> {
    this.controller.abort();
    const controller = (this.controller = new AbortController());
    this.wanted = wanted;
    const turn = this.queue.then(() => (controller.signal.aborted ? undefined : this.load(wanted, controller.signal)));
    this.queue = turn;
    return turn;
  }

  again(): Promise<void> {
    return this.open(this.wanted);
  }

  cancel(): void {
    this.controller.abort();
  }

  async recover(): Promise<void> {
    const model = this.model.get();
    if (!model) return this.again();
    this.trouble.set(undefined);
    this.loading.set({ label: this.label, progress: waiting });
    try {
      await model.recover({ onProgress: (progress) => this.loading.set({ label: this.label, progress }) });
      this.model.set(model);
    } catch (e) {
      this.fail("The GPU did not come back", e);
    } finally {
      this.loading.set(undefined);
    }
  }

  private async load(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const label = wanted.kind === "built-in" ? defaultModelName : wanted.label;
    const onProgress = (progress: Progress) => this.loading.set({ label, progress });
    this.trouble.set(undefined);
    onProgress(waiting);
    try {
      const before = this.model.get();
      this.model.set(undefined);
      await before?.dispose(); // first: both may not fit at the same time
      const engine = this.engine.get() ?? (await createEngine());
      if (!this.engine.get()) this.engine.set(engine);
      const source = wanted.kind === "built-in" ? await defaultModel(onProgress, signal) : wanted.source;
      const { device, software, context } = settings.get();
      const model = await engine.load(source, {
        device, software, signal, onProgress,
        ...(context === null ? {} : { context }),
        ...(wanted.kind === "source" && !wanted.cache ? { cache: false } : {}),
      });
      this.model.set(model);
    } catch (e) {
      if (WeftError.is(e, "cancelled") || signal.aborted) {
        if (this.wanted === wanted) this.trouble.set(this.cancelled(label, wanted.kind === "source" && wanted.cache));
      } else {
        this.fail(`${label} could not be loaded`, e);
      }
    } finally {
      this.loading.set(undefined);
    }
  }

  private cancelled(label: string, kept: boolean): Trouble {
    return {
      title: `Loading ${label} was cancelled`,
      message: kept ? "What had arrived is kept; the next try goes on from there." : "Nothing of it is loaded.",
      hint: "",
      ways: [this.tryAgain, ...this.toBuiltIn],
    };
  }

  /** Shows an error. */
  fail(title: string, thrown: unknown, more: Trouble["ways"] = []): void {
    const error = WeftError.from(thrown);
    console.warn(error);
    this.trouble.set({ title, message: error.message, hint: error.hint, ways: [...more, ...this.waysOut(error)] });
  }

  private readonly tryAgain = { label: "Try again", go: () => void this.again() };

  private get toBuiltIn(): Trouble["ways"] {
    return this.wanted.kind === "built-in" ? [] : [{ label: `Back to ${defaultModelName}`, go: () => void this.open(builtIn) }];
  }

  private waysOut(error: WeftError): Trouble["ways"] {
    const see = (label: string, tab: "device" | "settings" | "storage") => ({ label, go: () => this.openTab(tab) });
    const unkept = () => this.wanted.kind === "source" && void this.open({ ...this.wanted, cache: false });
    switch (error.code) {
      case "device-lost": return [{ label: "Bring the model back", go: () => void this.recover() }];
      case "no-device":
      case "unsupported-adapter":
      case "bad-shader": return [see("Choose the device", "settings"), see("What is there", "device"), ...this.toBuiltIn];
      case "insufficient-memory":
      case "out-of-memory": return [see("Choose a smaller context", "settings"), ...this.toBuiltIn];
      case "quota-exceeded":
        return [see("See what is stored", "storage"), { label: "Load without keeping it", go: unkept }, ...this.toBuiltIn];
      case "invalid-argument":
      case "context-full": return [see("Open the settings", "settings")];
      default: return this.model.get() ? [] : [this.tryAgain, ...this.toBuiltIn];
    }
  }
}

/** What a person typed as a name or address, or files that were dropped or picked; the main file first. */
export function wantedOf(given: string | readonly File[]): Wanted {
  if (typeof given === "string") return { kind: "source", source: given, label: fileOf(given), cache: true };
  const weights = (file: File) => (/\.(gguf|safetensors)$/i.test(file.name) ? 0 : 1);
  const files = [...given].sort((a, b) => weights(a) - weights(b) || a.name.localeCompare(b.name, "en"));
  const first = files[0]!;
  return { kind: "source", source: files.length === 1 ? first : files, label: first.name, cache: false };
}
