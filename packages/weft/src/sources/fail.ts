// The errors of sources and the cache, worded as the core words its own: where: what: expected …, found ….
//
//   throw fail("io", url, "the download", "an answer", "HTTP 503", "try again later");
import { WeftError, type WeftErrorCode } from "../errors.js";

export function fail(
  code: WeftErrorCode, where: string, what: string, expected: string, found: string, hint?: string,
): WeftError {
  return WeftError.of(code, where, what, expected, found, hint);
}

export function cancelled(where: string): WeftError {
  return new WeftError("cancelled", `${where}: stopped by its caller`, { where });
}

export function isAbort(error: unknown, signal?: AbortSignal): boolean {
  return signal?.aborted === true || (error as { name?: string } | null)?.name === "AbortError";
}

export function nameOf(error: unknown): string {
  return (error as { name?: string } | null)?.name ?? "";
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
