// The package's options as the core takes them: src/session/json.h. Only what was given is handed on, so that defaults
// stand in one place; a value of the wrong kind is refused there, by name.
import { WeftError } from "./errors.js";
import type { GenerateOptions, LoadOptions } from "./types.js";

type Json = Record<string, unknown>;

const generateNames: Partial<Record<keyof GenerateOptions, string>> = {
  maxTokens: "max_tokens", stopIds: "stop_ids", ignoreEnd: "ignore_end", temperature: "temperature", topK: "top_k",
  topP: "top_p", minP: "min_p", repeatPenalty: "repeat_penalty", frequencyPenalty: "frequency_penalty",
  presencePenalty: "presence_penalty", penaltyLastN: "penalty_last_n", seed: "seed", logprobs: "logprobs",
};

const loadNames: Partial<Record<keyof LoadOptions, string>> = {
  context: "context", kv: "kv", sessions: "slots", prefillChunk: "chunk", burst: "burst", profile: "profile",
  disabledPasses: "disabled_passes",
};

/** Members that the core has nothing to do with. */
const generateOthers = ["stop", "logitBias", "signal"];
const loadOthers = ["device", "software", "threads", "cache", "verify", "sha256", "headers", "hub", "onProgress", "signal"];

function renamed(given: object, names: Record<string, string>, others: readonly string[], where: string): Json {
  const out: Json = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || others.includes(name)) continue;
    const known = Object.hasOwn(names, name) ? names[name] : undefined;
    if (!known) throw WeftError.of("invalid-argument", where, name, "an option of it", "none of this name");
    // JSON would turn these into null, which means the default.
    if (typeof value === "number" && !Number.isFinite(value))
      throw WeftError.of("invalid-argument", where, name, "a number", String(value));
    out[known] = value;
  }
  return out;
}

export function generateOptions(options: Omit<GenerateOptions, "signal">): Json {
  const out = renamed(options, generateNames, generateOthers, "generate");
  const { stop, logitBias } = options;
  if (stop !== undefined && stop !== null) out.stop = typeof stop === "string" ? [stop] : stop;
  if (logitBias)
    out.logit_bias = Object.entries(logitBias).map(([id, value]) => {
      if (!/^\d+$/.test(id) || typeof value !== "number" || Number.isNaN(value) || value === Infinity)
        throw WeftError.of("invalid-argument", "generate", "logitBias", "numbers by token id", `${id}: ${String(value)}`);
      return [Number(id), value === -Infinity ? null : value];
    });
  return out;
}

export function loadOptions(options: LoadRequestOptions): Json {
  return renamed(options, loadNames, loadOthers, "load");
}
type LoadRequestOptions = Omit<LoadOptions, "onProgress" | "signal">;

/** A seed for those who gave none: any whole number that JavaScript and JSON can hold. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 12) * 2 ** 32 + low!;
}
