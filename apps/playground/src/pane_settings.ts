// Settings: those of an answer act at once, those of the model when it is loaded again.
import { $, h } from "./dom";
import type { Room } from "./room";
import { change, defaults, settings, type Settings } from "./settings";

interface Figure {
  name: "temperature" | "topK" | "topP" | "minP" | "repeatPenalty" | "maxTokens" | "seed" | "context";
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number;
}

const ofAnswers: Figure[] = [
  { name: "temperature", label: "Temperature", hint: "0 always takes the likeliest token", min: 0, max: 2, step: 0.05 },
  { name: "topK", label: "Top-k", hint: "only the k likeliest; 0 for all", min: 0, max: 1000, step: 1 },
  { name: "topP", label: "Top-p", hint: "only the likeliest that make up this share", min: 0.01, max: 1, step: 0.01 },
  { name: "minP", label: "Min-p", hint: "only those this likely, beside the likeliest", min: 0, max: 1, step: 0.01 },
  { name: "repeatPenalty", label: "Repetition penalty", hint: "1 is off", min: 1, max: 2, step: 0.05 },
  { name: "maxTokens", label: "Longest answer", hint: "tokens; -1 for no limit", min: -1, max: 131072, step: 1 },
  { name: "seed", label: "Seed", hint: "empty for another one each time", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1 },
];
const context: Figure = {
  name: "context", label: "Context", hint: "tokens of text and answer; empty for the model's own", min: 16, max: 131072, step: 1,
};

export function startSettingsPane(room: Room): void {
  const pane = $("pane-settings");
  const draw = () => pane.replaceChildren(...contents(room, draw));
  draw();
  settings.watch(() => pane.querySelector<HTMLElement>(".reload")?.toggleAttribute("hidden", !differs(room)));
  room.model.watch(() => pane.querySelector<HTMLElement>(".reload")?.toggleAttribute("hidden", !differs(room)));
  room.loading.watch((loading) => loading && (loadedWith = key()));
}

let loadedWith = "";
const key = () => JSON.stringify([settings.get().device, settings.get().software, settings.get().context]);
const differs = (room: Room) => room.loading.get() === undefined && key() !== loadedWith;

function contents(room: Room, draw: () => void): HTMLElement[] {
  const now = settings.get();
  const system = h("textarea", { id: "system", rows: 3, placeholder: "none", value: now.system });
  system.addEventListener("change", () => change({ system: system.value }));
  const device = h("select", { id: "device" },
    ...([["auto", "Automatic"], ["webgpu", "GPU (WebGPU)"], ["cpu", "Processor"]] as const).map(([value, label]) =>
      h("option", { value, selected: now.device === value }, label)));
  device.addEventListener("change", () => change({ device: device.value as Settings["device"] }));
  const software = h("input", { type: "checkbox", checked: now.software });
  software.addEventListener("change", () => change({ software: software.checked }));
  const reload = h("p", { class: "reload", hidden: !differs(room) },
    h("button", { type: "button", onclick: () => void room.again() }, "Load the model again with these"));
  const reset = () => {
    change({ ...defaults, mode: settings.get().mode, theme: settings.get().theme });
    draw();
  };
  return [
    h("h3", {}, "Answers"), h("div", { class: "figures" }, ...ofAnswers.map(field)),
    h("div", { class: "stack" }, h("label", { for: "system" }, "System prompt"), system,
      h("span", { class: "fine" }, "For chat. Some models, the built-in one too, pass it over.")),
    h("h3", {}, "Model"),
    h("div", { class: "figures" }, h("div", { class: "figure" }, h("label", { for: "device" }, "Device"), device), field(context)),
    h("label", { class: "check" }, software, "Also take a GPU that is software"),
    reload,
    h("p", {}, h("button", { type: "button", class: "link", onclick: reset }, "Back to the defaults")),
  ];
}

function field({ name, label, hint, min, max, step }: Figure): HTMLElement {
  const id = `set-${name}`;
  const input = h("input", {
    id, type: "number", inputmode: step < 1 ? "decimal" : "numeric", min, max, step: step < 1 ? "any" : step,
    "aria-describedby": `${id}-hint`, value: settings.get()[name] ?? "", placeholder: defaults[name] === null ? "auto" : "",
  });
  input.addEventListener("change", () => {
    const value = input.value.trim() === "" ? defaults[name] : Math.min(max, Math.max(min, Number(input.value)));
    if (value !== null && !Number.isFinite(value)) return;
    const fitting = value !== null && step === 1 ? Math.round(value) : value;
    input.value = fitting === null ? "" : String(fitting);
    change({ [name]: fitting } as Partial<Settings>);
  });
  return h("div", { class: "figure" }, h("label", { for: id }, label), input, h("span", { class: "fine", id: `${id}-hint` }, hint));
}
