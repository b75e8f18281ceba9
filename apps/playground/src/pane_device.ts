// The device card: where the model runs, why there, and what the machine would offer.
import type { Devices, GpuInfo } from "weft";
import { $, facts, h } from "./dom";
import type { Panel } from "./panel";
import type { Room } from "./room";
import type { Talk } from "./talk";
import { bytes, plural, sentence } from "./words";

export function startDevicePane(room: Room, talk: Talk, panel: Panel): void {
  const pane = $("pane-device");
  let devices: Devices | undefined;
  const show = () => pane.replaceChildren(...cards(room, talk, devices));
  const look = () => {
    show();
    void room.engine.get()?.devices().then((found) => ((devices = found), show()), (e: unknown) => room.fail("The devices could not be listed", e));
  };
  panel.onShow("device", look);
  room.model.watch(() => (pane.hidden ? show() : look()));
  talk.turns.watch(show);
}

function cards(room: Room, talk: Talk, devices: Devices | undefined): HTMLElement[] {
  const model = room.model.get();
  const out: HTMLElement[] = [];
  if (model) {
    const { device, reason } = model.info;
    const kernels = talk.turns.get().findLast((turn) => turn.stats)?.stats?.kernels ?? [];
    const [on, why] = device.kind === "cpu" ? ["On the processor", "Why not on the GPU"] : ["On the GPU", "Why there"];
    out.push(h("div", { class: "card" }, h("h3", {}, on), facts([["Device", device.name], [why, sentence(reason)]]),
      kernels.length > 0 && h("details", {}, h("summary", {}, plural(kernels.length, "kernel") + " in the last answer"),
        h("p", { class: "fine kernels" }, kernels.join(", ")))));
  }
  if (!devices) return [...out, h("p", { class: "fine" }, room.engine.get() ? "Looking …" : "The engine is starting …")];
  const { cpu, gpus, reason } = devices;
  out.push(h("h3", {}, "Processor"), facts([
    ["Threads", `${cpu.threads} of ${plural(cpu.cores, "core")}`],
    ["Why so many", sentence(cpu.reason)],
    ["Page isolated", cpu.isolated ? "yes" : "no: the server does not send the headers that threads need"],
  ]));
  out.push(h("h3", {}, gpus.length > 1 ? "GPUs" : "GPU"));
  if (gpus.length === 0) out.push(h("p", {}, "None that WebGPU grants. " + sentence(reason)));
  for (const gpu of gpus) out.push(gpuFacts(gpu));
  return out;
}

function gpuFacts(gpu: GpuInfo): HTMLElement {
  const made = [gpu.vendor, gpu.architecture].filter(Boolean).join(", ");
  const subgroups = gpu.subgroups && (gpu.subgroupMin === gpu.subgroupMax ? `of ${gpu.subgroupMin}` : `of ${gpu.subgroupMin} to ${gpu.subgroupMax}`);
  return facts([
    ["Name", gpu.name + (gpu.software ? " (the processor, pretending)" : "")],
    ["Made by", made],
    ["Through", gpu.backend],
    ["Half precision", yes(gpu.f16)],
    ["Subgroups", subgroups || "no"],
    ["Matrix units", yes(gpu.subgroupMatrix)],
    ["Packed products", yes(gpu.packedDot)],
    ["Time stamps", yes(gpu.timestamps)],
    ["Largest buffer", `${bytes(gpu.maxBufferBytes)}, of which ${bytes(gpu.maxBindingBytes)} at once`],
    ["Workgroup", `${gpu.maxWorkgroupInvocations} threads, ${Math.round(gpu.maxWorkgroupBytes / 1024)} KiB shared`],
  ]);
}

const yes = (is: boolean) => (is ? "yes" : "no");
