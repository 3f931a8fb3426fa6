/** One table of keys, for what they do and for the help that "?" shows. */
import { h, openDialog } from "./dom.js";

const WRITES = "input:not([type=checkbox]), select, textarea";

/** A binding is {keys, shown?, does, run(event), anywhere?}; `run` returning false leaves the key to the browser. */
export function listen(bindings) {
  const table = new Map(bindings.flatMap((binding) => binding.keys.map((key) => [key.toLowerCase(), binding])));
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const binding = table.get(named(event));
    if (!binding || event.altKey) return;
    if (event.target.closest(WRITES) && !binding.anywhere) return;
    if (event.target.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
    if (binding.run(event) !== false) event.preventDefault();
  });
}

/** "ctrl+z", "?", "arrowleft": Shift is left to the binding, Cmd counts as Ctrl. */
function named(event) {
  return `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.key}`.toLowerCase();
}

export function showHelp(bindings) {
  const rows = bindings.filter((binding) => binding.does).map(({ keys, shown, does }) =>
    h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, shown ?? (keys[0].length > 1 ? keys[0] : keys[0].toUpperCase()))), h("td", {}, does)));
  const mouse = h("p", {}, "Mouse: the wheel zooms where the pointer is; the middle button, or Space and dragging, moves the picture. Shift and dragging draws a new box inside another one. On a touch screen two fingers zoom and move.");
  openDialog("Keys", h("table", {}, h("tbody", {}, ...rows)), mouse);
}
