// Written by tools/gen_error_codes.py from src/base/errors.def: do not edit.

/** What went wrong, by name; the same names as of the C interface and the program (docs/errors.md). */
export type WeftErrorCode =
  /** A bug in Weft: an invariant did not hold. */
  | "internal"
  /** An argument is out of its stated range or of the wrong form. */
  | "invalid-argument"
  /** A file, model or URL does not exist. */
  | "not-found"
  /** Reading or writing failed in the operating system or on the network. */
  | "io"
  /** The bytes are not a well-formed file of the stated format, or are truncated. */
  | "bad-file"
  /** The file or request is well-formed but asks for something this build does not implement. */
  | "unsupported"
  /** The model file lacks a tensor that its architecture needs. */
  | "missing-tensor"
  /** A tensor's shape or type is not the one its metadata implies. */
  | "wrong-shape"
  /** The memory needed is more than the device or limit grants. */
  | "out-of-memory"
  /** The prompt and answer do not fit in the context length. */
  | "context-full"
  /** The caller asked to stop. */
  | "cancelled"
  /** The model has no chat template. */
  | "no-template"
  /** The chat template is malformed, unsupported or raised an error for this conversation. */
  | "bad-template"
  /** The model file has no tokenizer. */
  | "no-tokenizer"
  /** A stated limit on steps, depth or size was reached. */
  | "limit"
  /** A check against a reference failed. */
  | "mismatch"
  /** The device that was asked for is not available. */
  | "no-device"
  /** The GPU was reset or removed; the session cannot continue. */
  | "device-lost"
  /** The GPU's compiler refused a kernel. */
  | "bad-shader"
  /** The model would not fit in the memory there is; nothing of it was read. */
  | "insufficient-memory"
  /** The browser's storage has no room for the model. */
  | "quota-exceeded"
  /** The GPU lacks what the kernels need. */
  | "unsupported-adapter";

/** Every code at the number that the core gives it, with its usual way out. */
export const errorTable: readonly { readonly code: WeftErrorCode | "ok"; readonly hint: string }[] = [
  { code: "ok", hint: "" },
  { code: "internal", hint: "please report it with the message" },
  { code: "invalid-argument", hint: "see the documentation of the call" },
  { code: "not-found", hint: "check the spelling of the path or name" },
  { code: "io", hint: "check permissions, free space and the connection" },
  { code: "bad-file", hint: "download or convert the file again" },
  { code: "unsupported", hint: "see the table of what works in README.md" },
  { code: "missing-tensor", hint: "convert the model again with all tensors" },
  { code: "wrong-shape", hint: "the file's metadata and tensors disagree; convert it again" },
  { code: "out-of-memory", hint: "use a smaller context, a smaller model or a smaller number format" },
  { code: "context-full", hint: "raise context, shorten the prompt or start a new conversation" },
  { code: "cancelled", hint: "" },
  { code: "no-template", hint: "use plain completion, or give a template with the option template" },
  { code: "bad-template", hint: "check the conversation against the model's documentation" },
  { code: "no-tokenizer", hint: "pass token ids, or use a file with a tokenizer" },
  { code: "limit", hint: "the input is larger or deeper than this build accepts" },
  { code: "mismatch", hint: "see the named value; results of this build cannot be trusted for this model" },
  { code: "no-device", hint: "run with device: \"cpu\"" },
  { code: "device-lost", hint: "load the model again" },
  { code: "bad-shader", hint: "please report it with the message; run with device: \"cpu\" meanwhile" },
  { code: "insufficient-memory", hint: "use a smaller context, a smaller model or a smaller number format" },
  { code: "quota-exceeded", hint: "delete other models from the cache, or load without the cache" },
  { code: "unsupported-adapter", hint: "run with device: \"cpu\"" },
];
