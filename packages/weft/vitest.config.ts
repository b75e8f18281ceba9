import { defineConfig } from "vitest/config";
import { useSoftwareVulkan } from "./tests/support/vulkan.js";

useSoftwareVulkan(); // before the tests' processes start

export default defineConfig({ test: { pool: "forks", include: ["tests/**/*.test.ts"], testTimeout: 120_000 } });
