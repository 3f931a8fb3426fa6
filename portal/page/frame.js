/** What stands around the annotator: the bar above, the panel beside it, the message and the submit button. */
import { button, clock, h, openDialog } from "./dom.js";

const LITTLE_TIME_S = 120;

export class Frame {
  /** Moves the form's children into place. `run`: {submit, giveBack, showKeys}. */
  constructor(form, annotator, run) {
    this.annotator = annotator;
    this.short = form.querySelector("short-instructions") ?? "";
    this.full = form.querySelector("full-instructions");
    this.full?.remove();
    const own = form.querySelector("crowd-button button");
    this.submit = own ?? button("Submit and next", run.submit, { class: "primary" });
    this.submit.title = "Submit (Enter)";
    const whose = "Somebody else gets this picture; you only when no other one is left";
    this.giveBack = button("Give back", run.giveBack, { title: whose });
    this.message = h("p", { class: "message", role: "alert", hidden: true });
    const others = [...form.children].filter((child) => child !== annotator && child.localName.startsWith("crowd-"));
    form.prepend(this.#bar(run));
    form.append(h("aside", { class: "side-bar", "aria-label": "Answer" },
      this.#panel(others), h("footer", {}, this.message, own ? "" : this.submit)));
  }

  describe({ title, position, total, seconds_left: left }) {
    document.title = `${position} of ${total} · ${title}`;
    this.title.textContent = title;
    const bar = h("progress", { value: position - 1, max: total, "aria-label": "Progress" });
    this.progress.replaceChildren(`${position} of ${total}`, bar);
    this.deadline = left == null ? null : performance.now() + left * 1000;
    this.tick();
  }

  tick() {
    if (this.deadline == null) return;
    const left = (this.deadline - performance.now()) / 1000;
    this.timeLeft.textContent = left > 0 ? `${clock(left)} left` : "time is over";
    this.timeLeft.classList.toggle("little", left < LITTLE_TIME_S);
  }

  /** `actions`: {text, run} become buttons behind the text. */
  tell(text, ...actions) {
    const buttons = actions.filter(Boolean).map((action) => button(action.text, () => action.run()));
    this.message.replaceChildren(text, ...buttons);
    this.message.hidden = !text;
  }

  /** Takes this text back, unless another one has taken its place. */
  untell(text) {
    if (this.message.textContent === text) this.tell("");
  }

  /** Nothing is left to do here but `action`, which takes the place of submitting. */
  close(text, action) {
    this.allow({});
    this.saved("");
    this.tell(text);
    this.submit.replaceWith(button(action.text, () => action.run(), { class: "primary" }));
  }

  saved(text) {
    this.savedState.textContent = text;
  }

  /** `leaving`: giving the picture back; `answering`: the panel and submitting; `marking`: changing the marks. */
  allow({ leaving = false, answering = false, marking = false }) {
    this.giveBack.disabled = !leaving;
    this.panel.inert = this.submit.disabled = !answering;
    this.annotator.locked = this.annotator.panel.inert = !marking;
    this.annotator.refresh();
  }

  /** To the picture, with nothing selected; from there on to the panel, past all marks that Tab would go through. */
  focusPictureOrPanel() {
    const { annotator } = this;
    const here = document.activeElement === annotator.canvas && !annotator.selected;
    (here ? this.panel.querySelector("button, input") : annotator.canvas)?.focus();
    if (!here) annotator.select(null);
  }

  #bar({ showKeys }) {
    this.title = h("strong", { class: "title" });
    this.progress = h("span", { class: "progress" });
    this.timeLeft = h("span", { class: "time" });
    this.savedState = h("span", { class: "saved", role: "status" });
    const explain = () => this.full && openDialog(this.full.getAttribute("header") ?? "Instructions", this.full);
    return h("header", { class: "bar" }, h("a", { href: "/" }, "‹ Jobs"), this.title, this.progress,
      h("span", { class: "gap" }), this.savedState, this.timeLeft,
      this.giveBack, button("Instructions", explain), button("Keys ?", showKeys, { "aria-label": "Keys" }));
  }

  #panel(others) {
    const { annotator } = this;
    const heading = h("h1", {}, annotator.getAttribute("header") ?? "");
    const rest = h("section", { class: "rest", "aria-label": "Answer" }, ...others);
    this.panel = h("div", { class: "panel" }, heading, this.short, annotator.panel, rest);
    return this.panel;
  }
}
