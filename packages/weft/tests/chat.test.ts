// Conversations and OpenAI's shapes over an answer that the test makes up.
import { expect, test } from "vitest";
import { Chat } from "../src/chat.js";
import { WeftError } from "../src/errors.js";
import { Generation } from "../src/generation.js";
import { completions, finishReason, generateOptions } from "../src/openai.js";
import type { ChatMessage, GenerateOptions, GenerateResult, Part, StopReason } from "../src/types.js";

const stats = { device: "", kind: "cpu" as const, kernels: [], loadMs: 0, ttftMs: 0, prefillTokens: 0, keptTokens: 0, prefillTps: 0, decodeTokens: 0, decodeTps: 0, submitUs: 0, peakBytes: 0 };

/** Answers in words, one part each, and takes down what it was asked. */
function model(words: string[], reason: StopReason = "end-token") {
  const asked: { messages: readonly ChatMessage[]; options: GenerateOptions }[] = [];
  const answer = (messages: readonly ChatMessage[], options: GenerateOptions) => {
    asked.push({ messages: messages.map((m) => ({ ...m })), options });
    return new Generation(async (onParts, signal): Promise<GenerateResult> => {
      const made: Part[] = [];
      for (const [id, text] of words.entries()) {
        await new Promise((r) => setTimeout(r, 2));
        if (signal.aborted) break;
        const part: Part = options.logprobs === undefined ? { text, id } : { text, id, logprob: -id, best: [{ id, logprob: -id }] };
        made.push(part);
        onParts([part]);
      }
      const logprobs = options.logprobs === undefined ? {} : { logprobs: made.map((p) => ({ id: p.id, logprob: p.logprob!, best: p.best! })) };
      const ended = signal.aborted ? "cancelled" : reason;
      return { text: made.map((p) => p.text).join(""), ids: made.map((p) => p.id), promptIds: [1, 2, 3], reason: ended, seed: 1, stats, ...logprobs };
    }, options.signal);
  };
  return { asked, answer, backend: { name: "made up", answer, pieces: async (ids: readonly number[]) => ids.map((id) => words[id]!) } };
}

test("a conversation keeps its history and gives it whole", async () => {
  const { asked, answer } = model(["Hel", "lo"]);
  const chat = new Chat(answer, { system: "Be brief.", temperature: 0 });
  let text = "";
  for await (const part of chat.send("Hi")) text += part.text;
  expect(text).toBe("Hello");
  await chat.send({ role: "user", content: "Again" }, { maxTokens: 3 }).result;
  expect(chat.history.map((m) => [m.role, m.content])).toEqual(
    [["system", "Be brief."], ["user", "Hi"], ["assistant", "Hello"], ["user", "Again"], ["assistant", "Hello"]]);
  expect(asked[1]!.messages).toHaveLength(4);
  expect(asked[1]!.options).toMatchObject({ temperature: 0, maxTokens: 3 });
});

test("one message at a time; a stopped answer stays as far as it came", async () => {
  const { answer } = model(["a", "b", "c", "d"]);
  const chat = new Chat(answer);
  const sent = chat.send("Hi");
  expect(() => chat.send("And")).toThrow(/being answered/);
  for await (const part of sent) if (part.text === "b") break;
  expect((await sent.result).reason).toBe("cancelled");
  expect(chat.history[1]!.content).toMatch(/^ab?c?$/);
  await chat.send("More").result;
  expect(chat.history).toHaveLength(4);
});

test("after an error neither the message nor an answer is in the history", async () => {
  const chat = new Chat(() => new Generation(async () => Promise.reject(new WeftError("context-full", "no room"))));
  await expect(chat.send("Hi").result).rejects.toMatchObject({ code: "context-full" });
  expect(chat.history).toEqual([]);
});

test("OpenAI: a whole answer", async () => {
  const { asked, backend } = model(["Hel", "lo"], "max-tokens");
  const messages = [{ role: "user", content: "Hi" }];
  const answer = await completions(backend).create({ messages, max_tokens: 2, top_p: 0.5, logit_bias: { 5: -100 }, logprobs: true, top_logprobs: 1 });
  expect(asked[0]!.options).toMatchObject({ maxTokens: 2, topP: 0.5, logitBias: { 5: -Infinity }, logprobs: 1 });
  expect(answer).toMatchObject({
    object: "chat.completion",
    model: "made up",
    choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "length" }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  });
  expect(answer.choices[0]!.logprobs!.content[1]).toEqual(
    { token: "lo", logprob: -1, bytes: [108, 111], top_logprobs: [{ token: "lo", logprob: -1, bytes: [108, 111] }] });
  expect(answer.id).toMatch(/^chatcmpl-/);
});

test("OpenAI: a stream", async () => {
  const { backend } = model(["Hel", "lo"]);
  const request = { messages: [{ role: "user", content: "Hi" }], stream: true as const, stream_options: { include_usage: true } };
  const seen = [];
  for await (const chunk of await completions(backend).create(request)) seen.push(chunk);
  expect(new Set(seen.map((c) => c.id)).size).toBe(1);
  expect(seen.map((c) => c.choices[0]?.delta.content ?? "").join("")).toBe("Hello");
  expect(seen[0]!.choices[0]!.delta).toEqual({ role: "assistant", content: "" });
  expect(seen.at(-2)!.choices[0]!.finish_reason).toBe("stop");
  expect(seen.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 5 } });
});

test("OpenAI: stopped", async () => {
  const { backend } = model(["a", "b", "c"]);
  const messages = [{ role: "user", content: "Hi" }];
  await expect(completions(backend).create({ messages }, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
  const controller = new AbortController();
  let last;
  for await (const chunk of await completions(backend).create({ messages, stream: true }, { signal: controller.signal })) {
    controller.abort();
    last = chunk;
  }
  expect(last!.choices[0]!.finish_reason).toBe(null);
});

test("OpenAI: what would be ignored is refused", () => {
  const messages: ChatMessage[] = [];
  expect(() => generateOptions({ messages, tools: [] } as never)).toThrow(/tools/);
  expect(() => generateOptions({ messages, n: 2 })).toThrow(/n: expected 1, found 2/);
  expect(() => generateOptions({ messages, top_logprobs: 2 })).toThrow(/top_logprobs/);
  expect(() => generateOptions({} as never)).toThrow(/messages/);
  expect(generateOptions({ messages, temperature: null, presence_penalty: 1 })).toEqual({ presencePenalty: 1, penaltyLastN: -1 });
  expect(["end-token", "stop-string", "context-full"].map((r) => finishReason(r as StopReason))).toEqual(["stop", "stop", "length"]);
});
