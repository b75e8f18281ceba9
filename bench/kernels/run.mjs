// node bench/kernels/run.mjs PROGRAM.wasm ARGUMENTS…: runs a WASI program; its paths are this machine's.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const [file, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: "preview1", args: [file, ...rest], preopens: { "/": "/" } });
const module = await WebAssembly.compile(readFileSync(file));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
