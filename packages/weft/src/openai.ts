/**
 * The shapes of OpenAI's chat completions over a model of this package, for programs that were written for them.
 *
 *     const answer = await model.chat.completions.create({ messages: [{ role: "user", content: "Hi" }] });
 *     const stream = await model.chat.completions.create({ messages, stream: true });
 *     for await (const chunk of stream) show(chunk.choices[0]?.delta.content ?? "");
 *
 * What a request leaves out has Weft's defaults (temperature 0.8, top_p 0.95 …), not the service's.
 */
import type { Answer } from "./chat.js";
import { WeftError } from "./errors.js";
import type { Generation } from "./generation.js";
import type {
  ChatCompletion, ChatCompletionChunk, ChatCompletionFinishReason, ChatCompletionRequest, ChatCompletionTokenLogprob,
  ChatCompletionUsage, GenerateOptions, GenerateResult, Logprob, StopReason,
} from "./types.js";

export interface CompletionOptions {
  signal?: AbortSignal;
}

export interface Completions {
  /** One answer, whole. A stop by signal rejects with "cancelled". */
  create(request: ChatCompletionRequest & { stream?: false | null }, options?: CompletionOptions): Promise<ChatCompletion>;
  /** The answer in pieces. A stop by signal ends it without a last chunk. */
  create(request: ChatCompletionRequest & { stream: true }, options?: CompletionOptions): Promise<AsyncIterable<ChatCompletionChunk>>;
  create(request: ChatCompletionRequest, options?: CompletionOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
}

interface Backend {
  name: string;
  answer: Answer;
  /** The text of each token by itself. */
  pieces(ids: readonly number[]): Promise<string[]>;
}

const known = new Set(["messages", "model", "stream", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed",
  "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "stream_options", "n", "user"]);

export function completions(backend: Backend): Completions {
  const create = async (request: ChatCompletionRequest, { signal }: CompletionOptions = {}) => {
    const options = generateOptions(request);
    if (signal) options.signal = signal;
    const head = { id: newId(), created: Math.floor(Date.now() / 1000), model: request.model || backend.name };
    const generation = backend.answer(request.messages, options);
    if (request.stream) return chunks(backend, head, generation, request);
    const result = await generation.result;
    if (result.reason === "cancelled") throw new WeftError("cancelled", "chat.completions.create: stopped by its caller");
    return completion(backend, head, result, request);
  };
  return { create: create as Completions["create"] };
}

/** What of a request the core knows, by our names. A member that would be ignored silently is an error. */
export function generateOptions(request: ChatCompletionRequest): GenerateOptions {
  const wrong = (name: string, expected: string, found: unknown) =>
    WeftError.of("invalid-argument", "chat.completions.create", name, expected, JSON.stringify(found) ?? String(found));
  for (const [name, value] of Object.entries(request))
    if (!known.has(name) && value !== undefined && value !== null) throw wrong(name, "a member that is supported", value);
  if (!Array.isArray(request.messages)) throw wrong("messages", "an array of messages", request.messages);
  if ((request.n ?? 1) !== 1) throw wrong("n", "1", request.n);
  if (request.top_logprobs != null && !request.logprobs) throw wrong("top_logprobs", "logprobs: true beside it", request.top_logprobs);
  const options: GenerateOptions = {};
  const most = request.max_completion_tokens ?? request.max_tokens;
  if (most != null) options.maxTokens = most;
  if (request.temperature != null) options.temperature = request.temperature;
  if (request.top_p != null) options.topP = request.top_p;
  if (request.stop != null) options.stop = request.stop;
  if (request.seed != null) options.seed = request.seed;
  if (request.frequency_penalty != null) options.frequencyPenalty = request.frequency_penalty;
  if (request.presence_penalty != null) options.presencePenalty = request.presence_penalty;
  // Theirs counts the whole answer; ours looks back on so many tokens.
  if (request.frequency_penalty || request.presence_penalty) options.penaltyLastN = -1;
  // -100 forbids a token there.
  if (request.logit_bias != null)
    options.logitBias = Object.fromEntries(Object.entries(request.logit_bias).map(([id, v]) => [id, v <= -100 ? -Infinity : v]));
  if (request.logprobs) options.logprobs = request.top_logprobs ?? 0;
  return options;
}

export function finishReason(reason: StopReason): ChatCompletionFinishReason {
  return reason === "max-tokens" || reason === "context-full" ? "length" : "stop";
}

function usage(result: GenerateResult): ChatCompletionUsage {
  const prompt = result.promptIds.length, made = result.ids.length;
  return { prompt_tokens: prompt, completion_tokens: made, total_tokens: prompt + made };
}

type Head = { id: string; created: number; model: string };

async function completion(backend: Backend, head: Head, result: GenerateResult, request: ChatCompletionRequest): Promise<ChatCompletion> {
  const logprobs = request.logprobs ? { content: await tokenLogprobs(backend, result.logprobs ?? []) } : null;
  const message = { role: "assistant" as const, content: result.text, refusal: null };
  const choice = { index: 0 as const, message, finish_reason: finishReason(result.reason), logprobs };
  return { ...head, object: "chat.completion", choices: [choice], usage: usage(result) };
}

async function* chunks(backend: Backend, head: Head, generation: Generation, request: ChatCompletionRequest): AsyncGenerator<ChatCompletionChunk> {
  const wantsUsage = request.stream_options?.include_usage === true;
  type Choice = ChatCompletionChunk["choices"][0];
  const chunk = (choice: Partial<Choice>): ChatCompletionChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: {}, finish_reason: null, logprobs: null, ...choice }],
    ...(wantsUsage ? { usage: null } : {}),
  });
  let first = true;
  for await (const part of generation) {
    if (first) yield chunk({ delta: { role: "assistant", content: "" } });
    first = false;
    const scored = part.logprob !== undefined ? [{ id: part.id, logprob: part.logprob, best: part.best ?? [] }] : [];
    const logprobs = request.logprobs ? { content: await tokenLogprobs(backend, scored) } : null;
    if (part.text || scored.length > 0) yield chunk({ delta: { content: part.text }, logprobs });
  }
  const result = await generation.result;
  if (result.reason === "cancelled") return;
  if (first) yield chunk({ delta: { role: "assistant", content: "" } });
  yield chunk({ finish_reason: finishReason(result.reason) });
  if (wantsUsage) yield { ...head, object: "chat.completion.chunk", choices: [], usage: usage(result) };
}

async function tokenLogprobs(backend: Backend, rows: (Logprob & { best: Logprob[] })[]): Promise<ChatCompletionTokenLogprob[]> {
  const ids = [...new Set(rows.flatMap((row) => [row.id, ...row.best.map((best) => best.id)]))];
  const texts = new Map((await backend.pieces(ids)).map((text, i) => [ids[i]!, text]));
  const shaped = ({ id, logprob }: Logprob) => {
    const token = texts.get(id) ?? "";
    // A token may be a part of a character, whose bytes the text does not tell.
    const bytes = token.includes("\uFFFD") ? null : [...new TextEncoder().encode(token)];
    return { token, logprob, bytes };
  };
  return rows.map((row) => ({ ...shaped(row), top_logprobs: row.best.map(shaped) }));
}

function newId(): string {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return `chatcmpl-${[...words].map((word) => word.toString(16).padStart(8, "0")).join("")}`;
}
