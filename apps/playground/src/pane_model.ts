// What is loaded, and how to load something else: a name or address, files, or the built-in one.
import { $, facts, h } from "./dom";
import { defaultModelName } from "./default_model";
import { builtIn, wantedOf, type Room } from "./room";
import { bytes, count, left } from "./words";

/** Small models of other makers that are known to work, with the size of the download. */
const suggestions = [
  { name: "SmolLM2 135M", size: "145 MB", source: "HuggingFaceTB/SmolLM2-135M-Instruct-GGUF/smollm2-135m-instruct-q8_0.gguf" },
  { name: "SmolLM2 360M", size: "386 MB", source: "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF/smollm2-360m-instruct-q8_0.gguf" },
  { name: "Qwen2.5 0.5B", size: "429 MB", source: "Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_0.gguf" },
];

const phases = {
  connecting: "Asking for it", downloading: "Downloading", verifying: "Checking the kept file", loading: "Setting up", ready: "Ready",
};

export function startModelPane(room: Room): void {
  const now = h("div", { class: "card" });
  const address = h("input", {
    id: "address", type: "text", inputmode: "url", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    placeholder: "owner/model/file.gguf or https://…",
  });
  const keep = h("input", { type: "checkbox", checked: true });
  const form = h("form", { class: "stack" },
    h("label", { for: "address" }, "Name on Hugging Face, or address of a file"),
    h("div", { class: "row" }, address, h("button", { type: "submit" }, "Load")),
    h("label", { class: "check" }, keep, "Keep it for the next visit"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = address.value.trim();
    if (given) void room.open({ ...wantedOf(given), cache: keep.checked } as ReturnType<typeof wantedOf>);
  });
  const picker = h("input", { id: "files", type: "file", multiple: true, class: "hidden", tabindex: "-1", "aria-hidden": "true" });
  picker.addEventListener("change", () => {
    if (picker.files?.length) void room.open(wantedOf([...picker.files]));
    picker.value = "";
  });
  const list = h("ul", { class: "plain", "aria-label": "Small models that work" });
  for (const { name, size, source } of suggestions) {
    const load = () => void room.open(wantedOf(source));
    list.append(h("li", {}, h("button", { type: "button", class: "link", onclick: load, title: source }, name), h("span", {}, size)));
  }
  $("pane-model").append(now,
    h("h3", {}, "Another model"), form, list,
    h("div", { class: "row" },
      h("button", { type: "button", onclick: () => picker.click() }, "Open a file"), picker,
      h("span", { class: "fine" }, "or drop it on this page. GGUF or safetensors; it stays on this machine.")));
  room.model.watch(() => show(now, room));
  room.loading.watch(() => show(now, room));
}

function show(card: HTMLElement, room: Room): void {
  const loading = room.loading.get(), model = room.model.get();
  const back = room.wanted.kind !== "built-in" &&
    h("button", { type: "button", class: "link", onclick: () => void room.open(builtIn) }, `Back to ${defaultModelName}`);
  if (loading) {
    const { phase, loaded, total, bytesPerSecond, secondsLeft, cached } = loading.progress;
    const amount = total ? `${bytes(loaded)} of ${bytes(total)}` : loaded ? bytes(loaded) : "";
    const pace = bytesPerSecond > 0 && phase !== "loading" ? `${bytes(bytesPerSecond)}/s` : "";
    const rest = secondsLeft !== null && secondsLeft >= 1 ? left(secondsLeft) : "";
    const bar = h("progress", { "aria-label": `Loading ${loading.label}`, max: total || 1, ...(total ? { value: loaded } : {}) });
    const line = [cached && phase === "downloading" ? "From this machine" : phases[phase], amount, pace, rest].filter(Boolean).join(" · ");
    card.replaceChildren(h("h3", {}, loading.label), bar, h("p", { class: "fine" }, line),
      h("button", { type: "button", onclick: () => room.cancel() }, "Cancel"));
  } else if (model) {
    const { info } = model;
    const formats = Object.entries(info.formats).sort((a, b) => b[1] - a[1]).map(([name]) => name.toUpperCase());
    card.replaceChildren(h("h3", {}, room.label), facts([
      ["Kind", `${info.architecture}, ${count(info.parameters)} parameters`],
      ["Numbers", formats.join(", ")],
      ["Size", `${info.layers} layers of ${info.width}, ${count(info.vocabulary)} tokens known`],
      ["Context", `${count(info.context)} of the ${count(info.contextLength)} tokens it was trained for`],
      ["Chat", info.chatTemplate ? "yes, by its own template" : "no: the file has no chat template, so it only writes on"],
      ["Memory", `${bytes(info.memory.weights)} weights, ${bytes(info.memory.states)} conversation, ${bytes(info.memory.activations)} working`],
      ["Loaded in", `${Math.round(info.loadMs)} ms`],
    ]), back || "");
  } else {
    card.replaceChildren(h("h3", {}, "No model"), h("p", { class: "fine" }, "Load one below."),
      back || h("button", { type: "button", onclick: () => void room.again() }, "Try again"));
  }
}
