// Building and finding elements. Text always goes in as text: nothing here or elsewhere parses HTML.
//
//   h("button", { type: "button", onclick: stop, "aria-label": "Stop" }, "Stop")
type Child = Node | string | false | null | undefined;
type Props = Record<string, unknown>;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(name, "");
    else if (name === "value") (element as unknown as HTMLInputElement).value = String(value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== false && child !== null && child !== undefined));
  return element;
}

/** The element of index.html with this id. */
export function $<T extends Element = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as unknown as T;
}

/** A list of terms and what belongs to them; rows without a value are left out. */
export function facts(rows: readonly (readonly [string, Child])[]): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const [term, value] of rows) if (value) list.append(h("div", {}, h("dt", {}, term), h("dd", {}, value)));
  return list;
}

/** Something that changes, and those who want to know. */
export class Value<T> {
  private readonly listeners = new Set<(value: T) => void>();
  constructor(private current: T) {}
  get(): T {
    return this.current;
  }
  set(value: T): void {
    this.current = value;
    for (const listener of this.listeners) listener(value);
  }
  /** Calls `listener` at once and after every change. */
  watch(listener: (value: T) => void): void {
    this.listeners.add(listener);
    listener(this.current);
  }
}
