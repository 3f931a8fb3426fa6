/** The small answering elements: `answer` in Ground Truth's shape, `state` for the draft, and `restore(answer)`. */
import { button, h } from "./dom.js";

export class CrowdCheckbox extends HTMLElement {
  connectedCallback() {
    if (this.input) return;
    this.input = h("input", { type: "checkbox" });
    this.replaceChildren(h("label", {}, this.input, h("span", {}, ...this.childNodes)));
  }

  get checked() {
    return this.input.checked;
  }

  set checked(checked) {
    if (this.input) this.input.checked = checked;
  }

  get state() {
    return this.checked;
  }

  set state(checked) {
    this.checked = checked === true;
  }

  get answer() {
    return { [this.getAttribute("value") ?? "on"]: this.checked };
  }

  restore(answer) {
    this.checked = answer === true || Object.values(answer ?? {}).includes(true);
  }
}

export class CrowdTextArea extends HTMLElement {
  connectedCallback() {
    if (this.input) return;
    this.input = h("textarea", { rows: this.getAttribute("rows") ?? 2, maxlength: this.getAttribute("max-length") });
    this.append(h("label", {}, this.getAttribute("label") ?? "Text", this.input));
  }

  get state() {
    return this.input.value;
  }

  set state(text) {
    this.input.value = text ?? "";
  }

  get answer() {
    return this.state;
  }

  restore(answer) {
    this.state = answer;
  }
}

/** A template's own submit button; where it has none, the form adds one. */
export class CrowdButton extends HTMLElement {
  connectedCallback() {
    if (this.firstElementChild?.matches("button")) return;
    const submit = () => this.getAttribute("form-action") === "submit" && this.closest("crowd-form").submit();
    this.replaceChildren(button(this.textContent.trim(), submit, { class: "primary" }));
  }
}
