// A software GPU for Node: the package "webgpu" loads libvulkan.so.1, and SwiftShader, which `./dev setup gpu` puts into
// .deps, can be that by itself. Called by vitest.config.ts: what a process loads from is settled when it starts.
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";

const deps = resolve(import.meta.dirname, "../../../../.deps");

// Whether there is one. WEFT_TEST_VULKAN names a folder with another libvulkan.so.1.
export function useSoftwareVulkan(): boolean {
  const driver = join(deps, "swiftshader/libvk_swiftshader.so");
  let folder = process.env["WEFT_TEST_VULKAN"];
  if (!folder) {
    if (!existsSync(driver)) return false;
    folder = join(deps, "swiftshader/as-vulkan");
    mkdirSync(folder, { recursive: true });
    const link = join(folder, "libvulkan.so.1");
    if (!existsSync(link)) symlinkSync(driver, link);
  }
  const others = (process.env["LD_LIBRARY_PATH"] ?? "").split(":").filter((path) => path && path !== folder);
  process.env["LD_LIBRARY_PATH"] = [folder, ...others].join(":");
  process.env["WEFT_TEST_HAS_GPU"] = "1";
  return true;
}
