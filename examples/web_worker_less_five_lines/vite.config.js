// The built-in model is served beside the page. The two headers let the engine use all cores (docs/web.md).
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
export default { base: "./", publicDir: "../../models", worker: { format: "es" }, server: { headers }, preview: { headers } };
