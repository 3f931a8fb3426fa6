/** One table of keys, for what they do and for the help that "?" shows. */
import { h, openDialog } from "./dom.js";

const WRITES = "input:not([type=checkbox]), textarea";
const POINTERS = [
  "Mouse: the wheel zooms where the pointer is; the middle button, or Space and dragging, moves the picture.",
  "Shift and dragging always draws a new box. On a touch screen two fingers zoom and move.",
];

/** A binding is {keys, shown?, does, run(event), anywhere?}; `run` returning false leaves the key to the browser. */
export function listen(bindings) {
  const table = new Map(bindings.flatMap((binding) => binding.keys.map((key) => [key.toLowerCase(), binding])));
  document.addEventListener("keydown", (event) => {
    const binding = table.get(named(event));
    if (!binding || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest(WRITES) && !binding.anywhere) return;
    if (event.target.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
    if (binding.run(event) !== false) event.preventDefault();
  });
}

/** "ctrl+z", "?", "arrowleft": Shift is left to the binding, Cmd counts as Ctrl. */
function named(event) {
  return `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.key}`.toLowerCase();
}

/** The keys of a task's page: the form's, its annotator's and the view's. */
export function pageKeys(form) {
  const { annotator } = form;
  const onPicture = (event) => event.target === annotator.canvas;
  const zoom = (factor) => () => annotator.view.zoom(factor);
  const pan = (panning) => {
    annotator.view.panning = panning;
    annotator.canvas.style.cursor = panning ? "grab" : "";
  };
  const undo = (event) => annotator.travel(event.shiftKey && event.ctrlKey ? "redo" : "undo");
  const hold = (event) => onPicture(event) && pan(true);
  const cycle = (event) => onPicture(event) && annotator.cycle(event.shiftKey ? -1 : 1);
  document.addEventListener("keyup", (event) => event.key === " " && pan(false));
  addEventListener("blur", () => pan(false));
  const bindings = [
    { keys: ["Enter"], does: "submit, and the next picture", run: (event) => event.repeat || void form.submit() },
    ...annotator.keys(),
    { keys: ["Tab"], shown: "Tab, Shift + Tab", does: "the next or previous mark, from the picture", run: cycle },
    { keys: ["u", "ctrl+z"], shown: "U, Ctrl + Z", does: "undo", run: undo },
    { keys: ["ctrl+y"], shown: "Ctrl + Y", does: "redo", run: () => annotator.travel("redo") },
    { keys: ["+", "="], shown: "+", does: "zoom in", run: zoom(1.25) },
    { keys: ["-"], shown: "−", does: "zoom out", run: zoom(0.8) },
    { keys: ["0"], does: "fit the picture", run: () => annotator.view.fit() },
    { keys: [" "], shown: "Space", does: "with dragging: move the picture", run: hold },
    {
      keys: ["Escape"],
      shown: "Esc",
      does: "select nothing, back to the picture; from there on to the panel",
      anywhere: true,
      run: () => form.frame.focusPictureOrPanel(),
    },
    { keys: ["?"], does: "this help", run: () => void showHelp(bindings) },
  ];
  return bindings;
}

export function showHelp(bindings) {
  const key = ({ keys: [first], shown }) => shown ?? (first.length > 1 ? first : first.toUpperCase());
  const named = (binding) => h("th", { scope: "row" }, h("kbd", {}, key(binding)));
  const row = (binding) => h("tr", {}, named(binding), h("td", {}, binding.does));
  const table = h("table", {}, h("tbody", {}, ...bindings.map(row)));
  openDialog("Keys", table, ...POINTERS.map((text) => h("p", {}, text)));
}
