// The cache manager: which models are kept in this browser, how much room they take, and how to be rid of them.
import type { CacheEntry, CacheUsage } from "weft";
import { $, h } from "./dom";
import type { Panel } from "./panel";
import { wantedOf, type Room } from "./room";
import { ago, bytes, plural } from "./words";

export function startStoragePane(room: Room, panel: Panel): void {
  const pane = $("pane-storage");
  const look = async () => {
    const cache = room.engine.get()?.cache;
    if (!cache) return pane.replaceChildren(h("p", { class: "fine" }, "The engine is starting …"));
    try {
      const [entries, usage] = await Promise.all([cache.list(), cache.usage()]);
      pane.replaceChildren(...contents(entries, usage, room, look));
    } catch (e) {
      room.fail("The storage could not be read", e);
    }
  };
  panel.onShow("storage", () => void look());
  room.loading.watch((loading) => !loading && !pane.hidden && void look());
  room.engine.watch((engine) => engine && !pane.hidden && void look());
}

function contents(entries: CacheEntry[], usage: CacheUsage, room: Room, look: () => Promise<void>): HTMLElement[] {
  const remove = async (entry: CacheEntry) => {
    try {
      await room.engine.get()?.cache.delete(entry.key);
    } catch (e) {
      room.fail("It could not be deleted", e);
    }
    await look();
    $("pane-storage").focus();
  };
  const rows = entries.map((entry) => {
    const { name } = entry;
    const amount = entry.complete ? bytes(entry.size)
      : `${bytes(entry.loaded)}${entry.size > 0 ? ` of ${bytes(entry.size)}` : ""}, goes on when loaded again`;
    return h("li", { class: "kept" },
      h("div", {}, h("strong", {}, name), h("span", { class: "fine" }, `${amount} · used ${ago(entry.lastUsed.getTime())}`),
        h("span", { class: "fine address" }, entry.url)),
      h("div", { class: "row" },
        h("button", { type: "button", "aria-label": `Load ${name}`, onclick: () => void room.open(wantedOf(entry.url)) }, "Load"),
        h("button", { type: "button", class: "danger", "aria-label": `Delete ${name}`, onclick: () => void remove(entry) }, "Delete")));
  });
  const used = usage.quota - usage.free;
  return [
    h("h3", {}, "Models kept in this browser"),
    rows.length ? h("ul", { class: "plain" }, ...rows)
                : h("p", { class: "fine" }, "None yet. The built-in model is part of the page and not listed."),
    h("h3", {}, "Room"),
    ...(usage.quota > 0 ? [h("meter", { min: 0, max: 1, high: 0.9, value: used / usage.quota, "aria-label": "Storage in use" })] : []),
    h("p", { class: "fine" }, `${plural(usage.entries, "model")}, ${bytes(usage.bytes)}` +
      (usage.quota > 0 ? `; this site uses ${bytes(used)} of the ${bytes(usage.quota)} that the browser grants it` : "")),
    h("p", { class: "fine" }, usage.where === "memory" ? `Nothing outlives this tab: ${usage.reason}`
      : usage.persisted ? "The browser promised not to clear it by itself."
      : "The browser may clear it when the disk fills up. Installing the page makes it more likely to keep it."),
  ];
}
