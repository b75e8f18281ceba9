// A chat with progress, a stop button, figures and errors with their way out. Another model: ?model=owner/repo/file.gguf
import { createEngine, WeftError } from "weft";

const $ = (id) => document.getElementById(id);
const source = new URLSearchParams(location.search).get("model") ?? "weft-stories-7m-q8_0.gguf";
let stopper = new AbortController();
let chat;

function say(role, text) {
  const line = document.createElement("p");
  line.className = role;
  line.textContent = text; // never innerHTML: a model may write anything
  $("talk").append(line);
  return line;
}

function explain(error) {
  $("state").textContent = WeftError.is(error) ? `${error.message} – ${error.hint}` : String(error);
}

async function start() {
  const engine = await createEngine();
  const model = await engine.load(source, {
    onProgress: ({ phase, loaded, total, secondsLeft }) => {
      const share = total ? ` ${Math.round((100 * loaded) / total)} %` : "";
      $("state").textContent = `${phase}${share}${secondsLeft ? `, ${Math.round(secondsLeft)} s left` : ""}`;
    },
  });
  if (!model.info.chatTemplate) throw new Error("This model has no chat template; model.generate() writes on from a text.");
  chat = model.chat();
  $("state").textContent = `${model.info.name || model.info.file}: ${model.info.reason}`;
  $("send").disabled = false;
}

async function send(text) {
  say("user", text);
  const line = say("assistant", "");
  stopper = new AbortController();
  $("stop").hidden = false;
  $("send").hidden = true;
  try {
    const answer = chat.send(text, { maxTokens: 200, repeatPenalty: 1.1, signal: stopper.signal });
    for await (const part of answer) line.append(part.text);
    const { stats, reason } = await answer.result;
    $("state").textContent = `${stats.decodeTps.toFixed(1)} tokens/s, first after ${stats.ttftMs.toFixed(0)} ms (${reason})`;
  } catch (error) {
    explain(error);
  }
  $("stop").hidden = true;
  $("send").hidden = false;
}

$("stop").addEventListener("click", () => stopper.abort());
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("words").value.trim();
  if (!text || !chat || !$("stop").hidden) return;
  $("words").value = "";
  void send(text);
});

start().catch(explain);
