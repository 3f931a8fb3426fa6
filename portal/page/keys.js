/** One table of keys, for what they do and for the help that "?" shows. */
import { h, openDialog } from "./dom.js";

const WRITES = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const COMPOSING = 229; // the keyCode of a key that an input method has taken
const POINTERS = [
  "Mouse: the wheel zooms where the pointer is; the middle button, or Space and dragging, moves the picture.",
  "Shift and dragging always draws anew. Clicking at the same place again selects what lies below.",
  "Touch and pen: two fingers zoom and move; rest, then drag, to draw inside of what is selected. "
    + "While a pen is near, fingers and palm draw nothing.",
];

/** A binding is {keys, shown?, does, run(event), anywhere?, repeats?}; `run` returning false leaves the key to the
 * browser. `anywhere`: in fields, too. `repeats`: as long as the key is held.
 */
export function listen(bindings) {
  const table = new Map(bindings.flatMap((binding) => binding.keys.map((key) => [key.toLowerCase(), binding])));
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === COMPOSING || event.altKey || event.getModifierState("AltGraph")) return;
    const binding = namesOf(event).map((name) => table.get(name)).find(Boolean);
    if (!binding || document.querySelector("dialog[open]")) return;
    if (event.target.closest(WRITES) && !binding.anywhere) return;
    if (event.target.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
    if ((event.repeat && !binding.repeats) || binding.run(event) !== false) event.preventDefault();
  });
}

/** What a key may be called in the table, the best name first: "ctrl+z", "?", "arrowleft".
 *
 * Shift is left to the binding, Cmd counts as Ctrl. The row of digits is meant by its place: unshifted it types letters
 * and signs on French, Czech or Thai keyboards, "-" and "+" among them. A letter is meant by what it types (Z and Y
 * change places on German keyboards, Dvorak moves nearly all), but by its place where it is of another script.
 */
export function namesOf({ key, code, shiftKey, ctrlKey, metaKey }) {
  const typed = key.toLowerCase();
  const [, letter, digit, number] = /^(?:Key([A-Z])|Digit(\d)|Numpad(\d))$/.exec(code) ?? [];
  const isSign = key.length === 1 || /[^ -~]/.test(key); // and no "Enter"; an Arabic key types two letters at once
  const names = [typed];
  if (digit && !shiftKey) names.unshift(digit);
  if (number && isSign) names.unshift(number);
  if (letter && (key === "Dead" || (isSign && !/\p{Script=Latin}/u.test(key)))) names.push(letter.toLowerCase());
  if (key === "؟") names.push("?");
  return names.map((name) => (ctrlKey || metaKey ? `ctrl+${name}` : name));
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
  const giveBack = (event) => event.shiftKey && void form.giveBack();
  document.addEventListener("keyup", (event) => event.key === " " && pan(false));
  addEventListener("blur", () => pan(false));
  const bindings = [
    { keys: ["Enter"], does: "submit, and the next picture", run: () => void form.submit() },
    ...annotator.keys(),
    {
      keys: ["Tab"],
      shown: "Tab, Shift + Tab",
      does: "the next or previous mark, from the picture",
      repeats: true,
      run: cycle,
    },
    { keys: ["u", "ctrl+z"], shown: "U, Ctrl + Z", does: "undo", run: undo, repeats: true },
    { keys: ["ctrl+y"], shown: "Ctrl + Y", does: "redo", run: () => annotator.travel("redo"), repeats: true },
    { keys: ["+", "="], shown: "+", does: "zoom in", run: zoom(1.25), repeats: true },
    { keys: ["-"], shown: "−", does: "zoom out", run: zoom(0.8), repeats: true },
    { keys: ["0"], does: "fit the picture", run: () => annotator.view.fit() },
    { keys: [" "], shown: "Space", does: "with dragging: move the picture", run: hold, repeats: true },
    {
      keys: ["Escape"],
      shown: "Esc",
      does: "select nothing, back to the picture; from there on to the panel",
      anywhere: true,
      run: () => form.frame.focusPictureOrPanel(),
    },
    { keys: ["g"], shown: "Shift + G", does: "give the picture back", run: giveBack },
    { keys: ["?"], does: "this help", run: () => void showHelp(bindings) },
  ];
  return bindings;
}

export function showHelp(bindings) {
  const named = (binding) => ({ ...binding, name: h("kbd", {}, shownKey(binding)) });
  const shown = bindings.filter(({ does }) => does).map(named);
  const row = ({ name, does }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, does));
  openDialog("Keys", h("table", {}, h("tbody", {}, ...shown.map(row))), ...POINTERS.map((text) => h("p", {}, text)));
  navigator.keyboard?.getLayoutMap().then((layout) => {
    for (const binding of shown) binding.name.textContent = shownKey(binding, layout);
  }, () => {});
}

/** With what the person's keyboard has on that key, where it types another script and the browser tells. */
function shownKey({ keys, shown }, layout) {
  const [first] = keys;
  const name = shown ?? (first.length > 1 ? first : first.toUpperCase());
  const letter = /^(?:ctrl\+)?([a-z])$/.exec(first)?.[1];
  const engraved = letter && layout?.get(`Key${letter.toUpperCase()}`);
  return !engraved || /\p{Script=Latin}/u.test(engraved) ? name : `${name} (${engraved.toUpperCase()})`;
}
