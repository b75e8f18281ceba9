// Models dropped anywhere on the page.
import { $ } from "./dom";
import { wantedOf, type Room } from "./room";

export function startDropping(room: Room): void {
  const curtain = $("drop");
  let depth = 0; // dragenter and dragleave also come for the elements inside
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const show = (by: number) => {
    depth = by === 0 ? 0 : Math.max(0, depth + by);
    curtain.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => hasFiles(event) && show(1));
  addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(0);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) void room.open(wantedOf(files));
  });
}
