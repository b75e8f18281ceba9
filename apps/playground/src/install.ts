// The service worker: the page works without a connection, and is isolated (threads) also on hosts that cannot set headers.
import { $, h } from "./dom";

const reloaded = "weft-reloaded";

/** Where the server did not isolate the page the worker can, from the next load on: once, an idle page loads itself again. */
export function isolate(idle: () => boolean): void {
  if (!import.meta.env.PROD || globalThis.crossOriginIsolated || !navigator.serviceWorker) return;
  if (sessionStorage.getItem(reloaded)) return;
  void register().then(() => navigator.serviceWorker.ready).then(() => {
    if (!idle()) return; // somebody is writing: the next visit has it
    sessionStorage.setItem(reloaded, "1");
    location.reload();
  }, () => {});
}

/** After the first load, so that nothing competes with it. */
export function install(): void {
  if (!import.meta.env.PROD || !navigator.serviceWorker) return;
  void register().then((registration) => {
    const offer = () => registration.waiting && navigator.serviceWorker.controller && showUpdate(registration.waiting);
    offer();
    registration.addEventListener("updatefound", () => {
      registration.installing?.addEventListener("statechange", offer);
    });
  }, (e: unknown) => console.warn("this page will not work without a connection:", e));
}

const register = () => navigator.serviceWorker.register(new URL("sw.js", document.baseURI));

function showUpdate(waiting: ServiceWorker): void {
  const use = () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    waiting.postMessage("use");
  };
  $("notice").replaceChildren("A new version of this page is here. ", h("button", { type: "button", onclick: use }, "Use it"));
}
