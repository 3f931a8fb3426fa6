/** Elements with attributes, listeners (`onclick: run`) and children. Strings become text, never markup. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A button that a mouse does not give the focus to, so that Enter goes on meaning "submit and next". */
export function button(text, run, attributes = {}) {
  const keepFocus = (event) => {
    event.preventDefault();
    if (document.activeElement.matches("textarea")) document.activeElement.blur();
  };
  return h("button", { type: "button", onmousedown: keepFocus, onclick: run, ...attributes }, text);
}

/** Puts the rows into the list, creating what is new, and leaves rows that stay untouched: they may have the focus. */
export function putRows(list, rows) {
  for (const old of [...list.children]) if (!rows.includes(old)) old.remove();
  rows.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
}

/** Opens a dialog that Esc, its button and a click beside it close. */
export function openDialog(title, ...content) {
  const close = h("button", { type: "button", class: "plain" }, "Close");
  const dialog = h("dialog", { "aria-label": title }, h("header", {}, h("h2", {}, title), close), ...content);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
