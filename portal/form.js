/** crowd-form: the page around an annotator, its draft, and the one way from an answer to the server. */
import { Draft } from "./draft.js";
import { button, clock, h, openDialog } from "./dom.js";
import { listen, showHelp } from "./keys.js";
import { call, callUntilHeard, path } from "./net.js";

const ANNOTATORS = "crowd-bounding-box, crowd-keypoint, crowd-image-classifier";
const LITTLE_TIME_S = 120;
const DOUBLE_CLICK_MS = 300;

export class CrowdForm extends HTMLElement {
  seconds = 0;
  pending = null;
  phase = "loading"; // then editing, sending, done

  connectedCallback() {
    if (this.bar) return;
    ({ task: this.task, job: this.job } = document.body.dataset);
    this.submission = crypto.randomUUID();
    this.annotator = this.querySelector(ANNOTATORS);
    this.fields = [...this.querySelectorAll("[name]")].filter((field) => "answer" in field);
    this.#build();
    this.annotator.renew = async () => (await call("POST", path("tasks", this.task, "renew"))).body.image;
    this.#bindKeys();
    this.#lock(true);
    this.#open();
  }

  get answer() {
    return Object.fromEntries(this.fields.map((field) => [field.getAttribute("name"), field.answer]));
  }

  async submit() {
    if (this.phase !== "editing") return;
    const problem = this.#cannotJudge() ? "" : this.annotator.problem();
    if (problem) return this.#tell(problem);
    this.pending = { answer: this.answer, submission: this.submission, seconds: Math.round(this.seconds * 10) / 10 };
    await this.#send();
  }

  async #open() {
    const waiting = (seconds, now) => seconds && this.#tell("The server cannot be reached; trying again.", ["Try now", now]);
    const [jobs, info] = await Promise.all([
      callUntilHeard("GET", path("jobs"), undefined, waiting),
      callUntilHeard("GET", path("tasks", this.task), undefined, waiting),
    ]);
    this.#tell("");
    if (info.status !== 200) return this.#settle(info);
    this.draft = new Draft(jobs.body.worker, this.task);
    this.#show(info.body);
    if (info.body.state === "submitted") return this.#showStored("This picture is done. What you submitted is shown.", info.body.answer);
    const kept = this.draft.read();
    this.#restore(kept);
    if (kept?.pending) {
      this.pending = kept.pending;
      return this.#send();
    }
    if (info.body.state === "expired") return this.#settle({ status: 410, body: {} });
    // Not before the picture is seen, and a moment later: a double click on Submit must not answer the next picture.
    await this.annotator.shown;
    setTimeout(() => this.#edit(), DOUBLE_CLICK_MS);
  }

  async #send() {
    this.#lock(true);
    this.phase = "sending";
    this.#save();
    this.#saved("Sending…");
    const reply = await callUntilHeard("POST", path("tasks", this.task, "answer"), this.pending, (seconds, now) => {
      this.#saved(seconds ? "Not saved yet" : "Sending…");
      if (seconds) this.#tell(`Not saved yet: the server cannot be reached. Trying again in ${seconds} s; your answer is kept in this browser.`, ["Try now", now]);
      else this.#tell("");
    });
    this.#settle(reply);
  }

  /** What the server's last word on this task means for the person. */
  #settle({ status, body }) {
    this.pending = null;
    if (status === 200) return this.#leaveFor(body.next);
    if (status === 409) {
      return this.#showStored(body.message ?? "This picture was answered already, perhaps in another tab. What is stored is shown; your later changes were not saved.", body.answer);
    }
    if (status === 410) return this.#end("The time for this picture is over and it was given back; nothing was saved from this page.");
    if (status === 404) return this.#end("This picture is no longer yours to label.");
    this.#edit();
    if (status === 401 || status === 403) this.#tell("Not saved: your session has ended. Open the link you were given again in this browser; your marks are kept here.");
    else this.#tell(`Not saved: ${body.message ?? `the server refused the answer (${status}).`}`);
  }

  #edit() {
    this.phase = "editing";
    this.#lock(false);
    this.#save();
  }

  #showStored(text, answer) {
    for (const field of this.fields) if (answer && field.getAttribute("name") in answer) field.restore(answer[field.getAttribute("name")]);
    this.draft.forget();
    this.#end(text);
  }

  #end(text) {
    this.phase = "done";
    this.#lock(true);
    this.#saved("");
    this.#tell(text, ["Next picture", () => this.#goOn()]);
  }

  async #goOn() {
    const reply = await callUntilHeard("POST", path("jobs", this.job, "next"));
    this.#go(reply.body.task);
  }

  #leaveFor(next) {
    this.phase = "done";
    this.draft.forget();
    this.#saved("Saved");
    this.#go(next);
  }

  #go(task) {
    location.assign(task ? `/tasks/${encodeURIComponent(task)}` : "/");
  }

  async #release() {
    await callUntilHeard("POST", path("tasks", this.task, "release"));
    location.assign("/");
  }

  #cannotJudge() {
    return this.querySelector('crowd-checkbox[name="cannot-judge"]')?.checked ?? false;
  }

  #save() {
    if (!this.draft || this.phase === "done") return;
    const fields = Object.fromEntries(this.fields.map((field) => [field.getAttribute("name"), field.state]));
    const kept = this.draft.write({ fields, seconds: this.seconds, pending: this.pending });
    this.#saved(kept ? "Draft kept" : "Drafts cannot be kept in this browser");
  }

  #restore(kept) {
    const fresh = this.fields.map((field) => field.state);
    this.seconds = Number(kept?.seconds) || 0;
    try {
      for (const field of this.fields) field.state = kept?.fields?.[field.getAttribute("name")] ?? field.state;
    } catch {
      this.fields.forEach((field, index) => (field.state = fresh[index]));
    }
  }

  #lock(locked) {
    this.annotator.locked = locked;
    this.panel.inert = locked;
    this.submitButton.disabled = locked;
    this.annotator.refresh();
  }

  #tell(text, action) {
    this.message.replaceChildren(text, ...(action ? [button(action[0], () => action[1]())] : []));
    this.message.hidden = !text;
  }

  #saved(text) {
    this.savedState.textContent = text;
  }

  #show({ title, position, total, seconds_left: left }) {
    document.title = `${position} of ${total} · ${title}`;
    this.heading.textContent = title;
    this.progress.replaceChildren(`${position} of ${total}`, h("progress", { value: position - 1, max: total, "aria-label": "Progress" }));
    this.deadline = left == null ? null : performance.now() + left * 1000;
    this.#tick();
  }

  #tick() {
    if (this.phase === "editing" && !document.hidden) this.seconds += 1;
    if (this.deadline == null) return;
    const left = (this.deadline - performance.now()) / 1000;
    this.timeLeft.textContent = left > 0 ? `${clock(left)} left` : "time is over";
    this.timeLeft.classList.toggle("little", left < LITTLE_TIME_S);
  }

  #build() {
    this.heading = h("strong", { class: "title" });
    this.progress = h("span", { class: "progress" });
    this.timeLeft = h("span", { class: "time" });
    this.savedState = h("span", { class: "saved", role: "status" });
    this.bar = h("header", { class: "bar" }, h("a", { href: "/" }, "‹ Jobs"), this.heading, this.progress,
      h("span", { class: "gap" }), this.savedState, this.timeLeft,
      button("Give back", () => this.#release(), { title: "Somebody else gets this picture" }),
      button("Instructions", () => this.#showInstructions()),
      button("Keys ?", () => showHelp(this.bindings), { "aria-label": "Keys" }));
    this.message = h("p", { class: "message", role: "alert", hidden: true });
    this.short = this.querySelector("short-instructions") ?? "";
    this.full = this.querySelector("full-instructions");
    this.full?.remove();
    const others = [...this.children].filter((child) => child !== this.annotator && child.localName.startsWith("crowd-"));
    this.submitButton = this.querySelector("crowd-button button") ?? button("Submit and next", () => this.submit(), { class: "primary" });
    this.submitButton.title = "Submit (Enter)";
    this.panel = h("div", { class: "panel" }, h("h1", {}, this.annotator.getAttribute("header") ?? ""), this.short,
      this.annotator.panel, h("section", { class: "rest", "aria-label": "Answer" }, ...others));
    const side = h("aside", { class: "side-bar", "aria-label": "Answer" }, this.panel,
      h("footer", {}, this.message, this.submitButton.isConnected ? "" : this.submitButton));
    this.prepend(this.bar);
    this.append(side);
    this.addEventListener("change", () => this.#save());
    this.addEventListener("input", () => this.#save());
    addEventListener("pagehide", () => this.phase === "editing" && this.#save());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    setInterval(() => this.#tick(), 1000);
  }

  #showInstructions() {
    if (this.full) openDialog(this.full.getAttribute("header") ?? "Instructions", this.full);
  }

  #bindKeys() {
    const { annotator } = this;
    const onStage = (event) => event.target === annotator.canvas || event.target === document.body;
    const cycle = (event) => onStage(event) && annotator.cycle(event.shiftKey ? -1 : 1);
    this.bindings = [
      { keys: ["Enter"], does: "submit, and the next picture", run: (event) => event.repeat || void this.submit() },
      ...annotator.keys(),
      { keys: ["Tab"], shown: "Tab, Shift + Tab", does: "the next or the previous mark, when the picture has the focus", run: cycle },
      { keys: ["u", "ctrl+z"], shown: "U, Ctrl + Z", does: "undo", run: (event) => annotator.travel(event.shiftKey && event.ctrlKey ? "redo" : "undo") },
      { keys: ["ctrl+y"], shown: "Ctrl + Y", does: "redo", run: () => annotator.travel("redo") },
      { keys: ["+", "=", "ctrl+="], shown: "+", does: "zoom in", run: () => annotator.view.zoom(1.25) },
      { keys: ["-"], shown: "−", does: "zoom out", run: () => annotator.view.zoom(0.8) },
      { keys: ["0"], does: "fit the picture", run: () => annotator.view.fit() },
      { keys: [" "], shown: "Space", does: "with dragging: move the picture", run: (event) => onStage(event) && this.#pan(true) },
      { keys: ["Escape"], shown: "Esc", does: "select nothing, back to the picture", anywhere: true, run: () => this.#toPicture() },
      { keys: ["?"], does: "this help", run: () => void showHelp(this.bindings) },
    ];
    listen(this.bindings);
    document.addEventListener("keyup", (event) => event.key === " " && this.#pan(false));
  }

  #pan(panning) {
    this.annotator.view.panning = panning;
    this.annotator.canvas.style.cursor = panning ? "grab" : "crosshair";
  }

  #toPicture() {
    this.annotator.canvas.focus();
    this.annotator.select(null);
  }
}
