// Light and dark: the system's choice until the person makes one. The colours themselves are light-dark() in style.css.
import { $ } from "./dom";
import { change, settings } from "./settings";

const dark = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (settings.get().theme === "auto" ? dark.matches : settings.get().theme === "dark");

function apply(): void {
  const { theme } = settings.get();
  document.documentElement.style.colorScheme = theme === "auto" ? "light dark" : theme;
  const colours = document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]');
  for (const meta of colours) {
    const own = meta.media.includes("dark") ? "#10141c" : "#f3f5f2";
    meta.content = theme === "auto" ? own : theme === "dark" ? "#10141c" : "#f3f5f2";
  }
  $("theme").textContent = isDark() ? "Light" : "Dark";
  $("theme").setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
}

export function startTheme(): void {
  settings.watch(apply);
  dark.addEventListener("change", apply);
  $("theme").addEventListener("click", () => {
    const wanted = isDark() ? "light" : "dark";
    // Back at what the system says: follow it again.
    change({ theme: (wanted === "dark") === dark.matches ? "auto" : wanted });
  });
}
