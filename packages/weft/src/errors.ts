/**
 * The one error type of the package.
 *
 *     try { … } catch (e) {
 *       if (WeftError.is(e, "device-lost")) model = await model.recover();
 *       else if (WeftError.is(e)) show(`${e.message} – ${e.hint}`);
 *     }
 */
import { errorTable, type WeftErrorCode } from "./error_codes.js";

export type { WeftErrorCode };

/** What an error is made of; it crosses workers in this form. */
export interface ErrorParts {
  code: WeftErrorCode;
  message: string;
  hint?: string;
  where?: string;
}

export class WeftError extends Error {
  /** What went wrong, for programs. Every function of the package rejects with one of these. */
  readonly code: WeftErrorCode;
  /** What to do about it, for people. Never empty, except for "cancelled". */
  readonly hint: string;
  /** The file, URL or call that it is about; may be empty. */
  readonly where: string;

  constructor(code: WeftErrorCode, message: string, details: { hint?: string; where?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "WeftError";
    this.code = code;
    this.hint = details.hint || hintOf(code);
    this.where = details.where ?? "";
  }

  /** Whether `e` is an error of this package, and of this code if one is given. Also true across bundles and frames. */
  static is(e: unknown, code?: WeftErrorCode): e is WeftError {
    const error = e as WeftError | null;
    return typeof error === "object" && error !== null && error.name === "WeftError" && typeof error.code === "string" &&
      (code === undefined || error.code === code);
  }

  /** Whatever was thrown, as a WeftError: itself, else "cancelled" for an AbortError, else `code`. */
  static from(e: unknown, code: WeftErrorCode = "internal", where = ""): WeftError {
    if (WeftError.is(e)) return e;
    const error = e as { name?: string; message?: string } | null;
    if (error?.name === "AbortError") return new WeftError("cancelled", error.message || "stopped", { where, cause: e });
    return new WeftError(code, (where ? `${where}: ` : "") + (error?.message ?? String(e)), { where, cause: e });
  }

  /** "where: what: expected …, found …" as the core words its own. */
  static of(code: WeftErrorCode, where: string, what: string, expected: string, found: string, hint?: string): WeftError {
    const message = `${where}: ${what}: expected ${expected}, found ${found}`;
    return new WeftError(code, message, hint === undefined ? { where } : { where, hint });
  }

  static parts(e: WeftError): ErrorParts {
    return { code: e.code, message: e.message, hint: e.hint, where: e.where };
  }

  static fromParts(parts: ErrorParts): WeftError {
    return new WeftError(parts.code, parts.message, parts);
  }
}

/** The usual way out of an error of this code. */
export function hintOf(code: WeftErrorCode): string {
  return errorTable.find((row) => row.code === code)?.hint ?? "";
}

/** The number of a code, as the core counts them. */
export function numberOf(code: WeftErrorCode): number {
  const number = errorTable.findIndex((row) => row.code === code);
  return number < 0 ? 1 : number;
}

/** The code of a number of the core. */
export function codeOf(number: number): WeftErrorCode {
  const code = errorTable[number]?.code;
  return code === undefined || code === "ok" ? "internal" : code;
}
