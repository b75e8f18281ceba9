// The line under the text field, the note of the empty page, and errors with their ways out.
import { $, h } from "./dom";
import type { Panel } from "./panel";
import type { Room, Trouble } from "./room";
import type { Talk } from "./talk";
import { bytes, count, left, plural, sentence } from "./words";

export function startStatus(room: Room, talk: Talk, panel: Panel): void {
  const show = () => {
    const model = room.model.get(), loading = room.loading.get();
    $("why").hidden = !model || !!loading;
    $("cancel-load").hidden = !loading;
    $("status").textContent = loading ? loadingLine(room) : model ? readyLine(room) : room.trouble.get() ? "No model is loaded" : "";
    $("welcome-note").textContent = note(room, talk);
  };
  room.model.watch(show);
  room.loading.watch(show);
  room.trouble.watch((trouble) => {
    $("trouble").replaceChildren(...(trouble ? [card(room, trouble)] : []));
    show();
  });
  talk.busy.watch(show);
  $("why").addEventListener("click", () => panel.open("device"));
  $("cancel-load").addEventListener("click", () => room.cancel());
}

// A screen reader is told the status: no figures that change all the time, only what begins.
function loadingLine(room: Room): string {
  const loading = room.loading.get();
  if (!loading) return "";
  const { total, loaded, secondsLeft, bytesPerSecond, phase } = loading.progress;
  const downloading = phase === "downloading" && total > 20e6;
  $("status").setAttribute("aria-live", downloading ? "off" : "polite");
  if (!downloading) return `Loading ${loading.label} …`;
  const pace = bytesPerSecond > 0 ? ` · ${bytes(bytesPerSecond)}/s` : "";
  const rest = secondsLeft !== null ? ` · ${left(secondsLeft)}` : "";
  return `${loading.label}: ${Math.floor((100 * loaded) / total)} %${pace}${rest}`;
}

function readyLine(room: Room): string {
  const { device } = room.model.get()!.info;
  $("status").setAttribute("aria-live", "polite");
  const place = device.kind === "webgpu" ? `on the GPU (${device.gpu?.name ?? device.name})` : `on the processor, ${plural(device.threads, "thread")}`;
  return `${room.label} · ${place}`;
}

function note(room: Room, talk: Talk): string {
  const model = room.model.get();
  if (!model) return room.loading.get() ? "The model is on its way; write already, it answers as soon as it is here."
    : "There is no model now: load one under Controls, or drop a file on this page.";
  const size = `${count(model.info.parameters)} parameters`;
  if (room.wanted.kind === "built-in")
    return `${room.label} is a storyteller of ${size} that runs in this tab. It knows no facts, only how stories go. Nothing you write leaves the page.`;
  if (talk.mode === "write" && !model.info.chatTemplate)
    return `${room.label}, ${size}. Its file has no chat template, so it does not chat: it writes on from your words.`;
  return `${room.label}, ${size}, in this tab. Nothing you write leaves the page.`;
}

function card(room: Room, { title, message, hint, ways }: Trouble): HTMLElement {
  const close = () => room.trouble.set(undefined);
  const buttons = ways.map(({ label, go }) => h("button", { type: "button", onclick: () => (close(), go()) }, label));
  return h("div", {}, h("div", { class: "trouble-card" },
    h("h2", {}, title), h("p", {}, message), hint && h("p", { class: "hint" }, sentence(hint)),
    h("div", { class: "row" }, ...buttons, h("button", { type: "button", class: "quiet", onclick: close }, "Dismiss"))));
}
