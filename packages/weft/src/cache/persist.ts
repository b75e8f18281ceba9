// For the page: workers cannot ask.
//
//   const { persisted, reason } = await askPersistence();
import { wordsOf } from "../sources/fail.js";

export interface Persistence {
  persisted: boolean; // the browser will not remove the models by itself when the disk gets full
  reason: string; // why not
}

// Asks the browser to keep this origin's storage. Call it on the page, best after a click; some browsers ask the user.
export async function askPersistence(): Promise<Persistence> {
  const storage = (globalThis.navigator as Navigator | undefined)?.storage;
  try {
    if (await storage?.persisted?.()) return { persisted: true, reason: "" };
    if (typeof storage?.persist !== "function")
      return { persisted: false, reason: "only the page can ask for it, and not every browser lets it" };
    if (await storage.persist()) return { persisted: true, reason: "" };
    return { persisted: false, reason: "the browser declined: it grants this to installed, bookmarked or much-used sites" };
  } catch (e) {
    return { persisted: false, reason: wordsOf(e) };
  }
}
