// What the person chose, kept in this browser only.
import type { DeviceChoice } from "weft";
import { Value } from "./dom";

export interface Settings {
  mode: "chat" | "write";
  theme: "auto" | "light" | "dark";
  device: DeviceChoice;
  /** Also a GPU that is software. */
  software: boolean;
  /** null: what the model was trained for, within reason. */
  context: number | null;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repeatPenalty: number;
  /** null: another one each time. */
  seed: number | null;
  maxTokens: number;
  system: string;
}

export const defaults: Settings = {
  mode: "chat", theme: "auto", device: "auto", software: false, context: null, temperature: 0.75, topK: 40, topP: 0.95,
  minP: 0.05, repeatPenalty: 1.1, seed: null, maxTokens: 256, system: "",
};

const key = "weft-playground";

function stored(): Settings {
  const settings = { ...defaults };
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "{}") as Record<string, unknown>;
    for (const [name, fallback] of Object.entries(defaults)) {
      const value = found[name];
      const nullable = fallback === null && (value === null || typeof value === "number");
      if (value !== undefined && (typeof value === typeof fallback || nullable)) Object.assign(settings, { [name]: value });
    }
  } catch {
    // No storage, or not ours: the defaults.
  }
  return settings;
}

export const settings = new Value(stored());

export function change(part: Partial<Settings>): void {
  settings.set({ ...settings.get(), ...part });
  try {
    localStorage.setItem(key, JSON.stringify(settings.get()));
  } catch {
    // A browser without storage forgets them with the tab.
  }
}
