import { defineConfig } from "vitest/config";

// Software GPUs compile a kernel a second.
export default defineConfig({ test: { pool: "forks", include: ["**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000 } });
