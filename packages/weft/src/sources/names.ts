// From what a caller names a model by to URLs or paths, and to the parts of a split model.
//
//   locate("owner/repo/model-q8_0.gguf")        → https://huggingface.co/owner/repo/resolve/main/model-q8_0.gguf
//   locate("owner/repo@v2/sub/model.gguf")      → …/resolve/v2/sub/model.gguf    ("hf:" in front makes it explicit)
//   locate("./model.gguf", { base })            → beside base (a page's address); in Node a path
//   partNames("m-00002-of-00003.gguf")          → all three, first part first
import { fail } from "./fail.js";

export const hubEndpoint = "https://huggingface.co";

export interface LocateOptions {
  base?: string | undefined; // relative addresses are relative to it; without it (Node) they are paths
  endpoint?: string | undefined; // of the Hugging Face hub or a mirror
}

export type Location = { url: string } | { path: string };

export function locate(what: string, options: LocateOptions = {}): Location {
  const text = what.trim();
  if (text === "") throw fail("invalid-argument", "load", "the model", "an address or name", "an empty text");
  if (/^(https?|blob|data):/i.test(text)) return { url: urlOf(text, options.base).href };
  if (/^file:/i.test(text)) return { path: decodeURIComponent(urlOf(text).pathname) };
  if (/^hf:/i.test(text)) return { url: hubUrl(text.slice(3), options.endpoint) };
  if (/^[a-z][a-z0-9+.-]+:/i.test(text) && options.base !== undefined)
    throw fail("invalid-argument", "load", `'${text}'`, "an http(s) address, a File or owner/repo/file.gguf",
      `the scheme '${text.slice(0, text.indexOf(":"))}'`);
  if (isHubName(text)) return { url: hubUrl(text, options.endpoint) };
  return options.base === undefined ? { path: text } : { url: urlOf(text, options.base).href };
}

// owner/repo/…file; "./models/a/b.gguf" and "/models/a/b.gguf" are relative addresses, "models/b.gguf" too.
export function isHubName(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*(@[^/]+)?\/[^?#]+$/.test(text);
}

export function hubUrl(name: string, endpoint = hubEndpoint): string {
  const match = /^([\w-][\w.-]*)\/([\w-][\w.-]*)(?:@([^/]+))?\/([^?#]+)$/.exec(name.replace(/^\/+/, ""));
  if (!match)
    throw fail("invalid-argument", "load", `'${name}'`, "owner/repo/file.gguf or owner/repo@revision/file.gguf",
      "another form");
  const [, owner, repo, revision = "main", file] = match;
  const path = file!.split("/").map((part) => encodeURIComponent(decodeURIComponent(part))).join("/");
  const at = encodeURIComponent(decodeURIComponent(revision));
  return `${endpoint.replace(/\/+$/, "")}/${owner}/${repo}/resolve/${at}/${path}`;
}

function urlOf(text: string, base?: string): URL {
  try {
    return new URL(text, base);
  } catch {
    throw fail("invalid-argument", "load", `'${text}'`, "an address", "one that does not parse");
  }
}

// The last part of a URL's or path's name, as the core will see it.
export function baseName(location: string): string {
  let path = location;
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) {
    const url = urlOf(location);
    path = url.protocol === "blob:" || url.protocol === "data:" ? "model" : url.pathname;
  }
  const last = path.split(/[/\\]/).filter((part) => part !== "").pop() ?? "model";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

// All parts of a split model, given any of them (a name, path or URL); else just the one given.
export function partNames(location: string): string[] {
  const match = /^([^?#]*)-(\d{5})-of-(\d{5})\.gguf([?#].*)?$/.exec(location);
  const count = match ? Number(match[3]) : 1;
  const number = match ? Number(match[2]) : 1;
  if (!match || count < 1 || number < 1 || number > count) return [location];
  const [, stem, , of, rest = ""] = match;
  return Array.from({ length: count }, (_, i) => `${stem}-${String(i + 1).padStart(5, "0")}-of-${of}.gguf${rest}`);
}
