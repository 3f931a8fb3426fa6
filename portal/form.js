/** crowd-form: one answer, from its draft in this browser to the server's last word on it. */
import { Draft } from "./draft.js";
import { Frame } from "./frame.js";
import { listen, pageKeys, showHelp } from "./keys.js";
import { call, callUntilHeard, path } from "./net.js";

const ANNOTATORS = "crowd-bounding-box, crowd-keypoint, crowd-image-classifier";
const DOUBLE_CLICK_MS = 300;
const TOLD = {
  done: "This picture is done. What you submitted is shown.",
  409: "This picture was answered already, perhaps in another tab. What is stored is shown; "
    + "your later changes were not saved.",
  410: "The time for this picture is over and it was given back; nothing was saved from this page.",
  404: "This picture is no longer yours to label.",
  403: "Not saved: your session has ended. Open the link you were given again in this browser; your marks are kept.",
};

export class CrowdForm extends HTMLElement {
  seconds = 0;
  pending = null; // the answer on its way: {answer, submission, seconds}
  phase = "loading"; // then editing, sending, done

  connectedCallback() {
    if (this.frame) return;
    ({ task: this.task, job: this.job } = document.body.dataset);
    this.submission = crypto.randomUUID();
    this.annotator = this.querySelector(ANNOTATORS);
    this.annotator.renew = async () => (await call("POST", path("tasks", this.task, "renew"))).body.image;
    this.fields = [...this.querySelectorAll("[name]")].filter((field) => "answer" in field);
    const keys = pageKeys(this);
    this.frame = new Frame(this, this.annotator, {
      submit: () => this.submit(),
      giveBack: () => this.#giveBack(),
      showKeys: () => showHelp(keys),
    });
    this.frame.lock(true);
    listen(keys);
    this.addEventListener("change", () => this.#save());
    this.addEventListener("input", () => this.#save());
    addEventListener("pagehide", () => this.phase === "editing" && !this.draft.isOvertaken && this.#save());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    setInterval(() => this.#tick(), 1000);
    this.#open();
  }

  get answer() {
    return Object.fromEntries(this.fields.map((field) => [field.getAttribute("name"), field.answer]));
  }

  async submit() {
    if (this.phase !== "editing" || this.annotator.idle) return;
    const cannotJudge = this.querySelector('crowd-checkbox[name="cannot-judge"]')?.checked;
    const problem = cannotJudge ? "" : this.annotator.problem();
    if (problem) return this.frame.tell(problem);
    this.pending = { answer: this.answer, submission: this.submission, seconds: Math.round(this.seconds * 10) / 10 };
    await this.#send();
  }

  async #open() {
    const text = "The server cannot be reached; trying again.";
    const waiting = (seconds, now) => this.frame.tell(seconds ? text : "", seconds && { text: "Try now", run: now });
    const [jobs, info] = await Promise.all([
      callUntilHeard("GET", path("jobs"), undefined, waiting),
      callUntilHeard("GET", path("tasks", this.task), undefined, waiting),
    ]);
    if (info.status !== 200) return this.#settle(info);
    this.draft = new Draft(jobs.body.worker, this.task);
    this.frame.describe(info.body);
    if (info.body.state === "submitted") return this.#showStored(TOLD.done, info.body.answer);
    const kept = this.draft.read();
    this.#restore(kept);
    if (kept?.pending) {
      this.pending = kept.pending;
      return this.#send();
    }
    if (info.body.state === "expired") return this.#end(TOLD[410]);
    // Not before the picture is seen, and a moment later: a double click on Submit must not answer the next picture.
    await this.annotator.shown;
    setTimeout(() => {
      this.#edit();
      this.annotator.canvas.focus({ preventScroll: true });
    }, DOUBLE_CLICK_MS);
  }

  async #send() {
    this.phase = "sending";
    this.frame.lock(true);
    this.frame.tell("");
    this.#save();
    this.frame.saved("Sending…");
    const reply = await callUntilHeard("POST", path("tasks", this.task, "answer"), this.pending, (seconds, now) => {
      const text = `Not saved yet: the server cannot be reached. Trying again in ${seconds} s; your answer is kept.`;
      this.frame.saved(seconds ? "Not saved yet" : "Sending…");
      this.frame.tell(seconds ? text : "", seconds && { text: "Try now", run: now });
    });
    this.#settle(reply);
  }

  #settle({ status, body }) {
    this.pending = null;
    if (status === 200) return this.#leaveFor(body.next);
    if (status === 409) return this.#showStored(body.message ?? TOLD[409], body.answer);
    if (status === 410 || status === 404) return this.#end(TOLD[status]);
    this.#edit();
    this.#save();
    const ended = status === 401 || status === 403;
    this.frame.tell(ended ? TOLD[403] : `Not saved: ${body.message ?? `the server refused the answer (${status}).`}`);
  }

  #edit() {
    this.phase = "editing";
    this.frame.lock(false);
  }

  #showStored(text, answer) {
    const given = (field) => answer?.[field.getAttribute("name")];
    for (const field of this.fields) if (given(field) !== undefined) field.restore(given(field));
    this.draft.forget();
    this.#end(text);
  }

  #end(text) {
    this.phase = "done";
    this.frame.close(text, { text: "Next picture", run: () => this.#goOn() });
  }

  #leaveFor(task) {
    this.phase = "done";
    this.draft?.forget();
    this.frame.saved("Saved");
    location.assign(task ? `/tasks/${encodeURIComponent(task)}` : "/");
  }

  async #goOn() {
    const { body } = await callUntilHeard("POST", path("jobs", this.job, "next"));
    location.assign(body.task ? `/tasks/${encodeURIComponent(body.task)}` : "/");
  }

  async #giveBack() {
    await callUntilHeard("POST", path("tasks", this.task, "release"));
    location.assign("/");
  }

  #save() {
    if (!this.draft || this.phase === "loading" || this.phase === "done") return;
    if (!this.pending && this.draft.isSentElsewhere) {
      return this.frame.saved("Not kept: another tab is sending its answer");
    }
    const fields = Object.fromEntries(this.fields.map((field) => [field.getAttribute("name"), field.state]));
    const kept = this.draft.write({ fields, seconds: this.seconds, pending: this.pending });
    this.frame.saved(kept ? "Draft kept" : "Drafts cannot be kept in this browser");
  }

  /** A draft that is not what this page writes is left aside as a whole. */
  #restore(kept) {
    const fresh = this.fields.map((field) => field.state);
    this.seconds = Number(kept?.seconds) || 0;
    try {
      for (const field of this.fields) field.state = kept?.fields?.[field.getAttribute("name")] ?? field.state;
    } catch {
      this.fields.forEach((field, index) => (field.state = fresh[index]));
    }
  }

  #tick() {
    if (this.phase === "editing" && !document.hidden) this.seconds += 1;
    this.frame.tick();
  }
}
