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
  410: "The time for this picture is over and it was given back; nothing was submitted from this page. "
    + "Your marks are kept in this browser, in case that you get it again.",
  404: "This picture is no longer yours to label.",
  403: "Not saved: your session has ended. Open the link you were given again in this browser; your marks are kept.",
};

export class CrowdForm extends HTMLElement {
  seconds = 0;
  pending = null; // the answer on its way: {answer, submission, seconds}
  phase = "loading"; // then editing, sending; in the end done or leaving
  seen = false; // whether the picture is on the screen, for long enough to be judged

  connectedCallback() {
    if (this.frame) return;
    ({ task: this.task, job: this.job } = document.body.dataset);
    this.annotator = this.querySelector(ANNOTATORS);
    this.annotator.renew = async () => (await call("POST", path("tasks", this.task, "renew"))).body.image;
    this.cannotJudge = this.querySelector('crowd-checkbox[name="cannot-judge"]');
    this.fields = [...this.querySelectorAll("[name]")].filter((field) => "answer" in field);
    const keys = pageKeys(this);
    this.frame = new Frame(this, this.annotator, {
      submit: () => this.submit(),
      giveBack: () => this.giveBack(),
      showKeys: () => showHelp(keys),
    });
    this.frame.allow({ leaving: true });
    listen(keys);
    this.addEventListener("change", () => this.#save());
    this.addEventListener("input", () => this.#save());
    addEventListener("pagehide", () => this.#saveTheRest());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
    setInterval(() => this.#tick(), 1000);
    this.#open();
  }

  /** Of a picture that is not there only what stands beside it. */
  get answer() {
    const given = this.fields.filter((field) => field !== this.annotator || this.annotator.size);
    return Object.fromEntries(given.map((field) => [field.getAttribute("name"), field.answer]));
  }

  get unseen() {
    const rest = this.cannotJudge ? "Only “Cannot judge” can be submitted." : "It cannot be answered unseen.";
    return `The picture cannot be shown; trying again. ${rest} Give it back if it stays away.`;
  }

  async submit() {
    if (this.phase !== "editing") return;
    const problem = this.seen ? this.annotator.problem() : this.unseen;
    if (problem && !this.cannotJudge?.checked) return this.frame.tell(problem);
    if (!this.cannotJudge?.checked && this.#doubts()) return;
    const seconds = Math.round(this.seconds * 10) / 10;
    this.pending = { answer: this.answer, submission: crypto.randomUUID(), seconds };
    await this.#send();
  }

  /** What may be wrong is told once; submitted again, with the marks as they were, it was meant. */
  #doubts() {
    const doubt = this.annotator.doubt?.();
    if (!doubt || (doubt.key === this.doubted && performance.now() - this.doubtedAt > DOUBLE_CLICK_MS)) return false;
    if (doubt.key !== this.doubted) [this.doubted, this.doubtedAt] = [doubt.key, performance.now()];
    const actions = doubt.actions.map(({ text, run }) => ({ text, run: () => (run(), this.frame.tell("")) }));
    this.frame.tell(doubt.text, ...actions);
    return true;
  }

  async #open() {
    const text = "The server cannot be reached; trying again.";
    const waiting = (seconds, now) => this.frame.tell(seconds ? text : "", seconds && { text: "Try now", run: now });
    const [jobs, info] = await Promise.all([
      callUntilHeard("GET", path("jobs"), undefined, waiting),
      callUntilHeard("GET", path("tasks", this.task), undefined, waiting),
    ]);
    if (this.phase !== "loading") return;
    if (info.status !== 200) return this.#settle(info);
    this.draft = new Draft(jobs.body.worker, this.task);
    this.frame.describe(info.body);
    if (info.body.state === "submitted") return this.#showStored(TOLD.done, info.body.answer);
    const kept = this.draft.read();
    this.#restore(kept);
    this.#awaitPicture();
    if (kept?.pending) {
      this.pending = kept.pending;
      return this.#send();
    }
    if (info.body.state === "expired") return this.#end(TOLD[410]);
  }

  /** Not before the picture is seen, and a moment later: a double click on Submit must not answer the next picture. */
  #awaitPicture() {
    this.annotator.shown.then(() => setTimeout(() => this.#see(), DOUBLE_CLICK_MS));
    this.annotator.unseen.then(() => {
      if (this.phase !== "loading") return;
      this.#edit();
      this.frame.tell(this.unseen);
    });
  }

  #see() {
    this.seen = true;
    if (this.phase !== "loading" && this.phase !== "editing") return;
    this.#edit();
    this.frame.untell(this.unseen);
    if (document.activeElement === document.body) this.annotator.canvas.focus({ preventScroll: true });
  }

  async #send() {
    this.phase = "sending";
    this.frame.allow({});
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
    if (status === 410 || status === 404) {
      this.#save();
      return this.#end(TOLD[status]);
    }
    this.#edit();
    this.#save();
    const ended = status === 401 || status === 403;
    this.frame.tell(ended ? TOLD[403] : `Not saved: ${body.message ?? `the server refused the answer (${status}).`}`);
  }

  #edit() {
    this.phase = "editing";
    this.frame.allow({ leaving: true, answering: true, marking: this.seen });
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

  async giveBack() {
    if (!["loading", "editing"].includes(this.phase)) return;
    this.#saveTheRest();
    this.phase = "leaving";
    this.frame.allow({});
    await callUntilHeard("POST", path("tasks", this.task, "release"));
    location.assign("/");
  }

  #save() {
    if (!this.draft || (this.phase !== "editing" && this.phase !== "sending")) return;
    if (!this.pending && this.draft.isSentElsewhere) {
      return this.frame.saved("Not kept: another tab is sending its answer");
    }
    const fields = Object.fromEntries(this.fields.map((field) => [field.getAttribute("name"), field.state]));
    const kept = this.draft.write({ fields, seconds: this.seconds, pending: this.pending });
    this.frame.saved(kept ? "Draft kept" : "Drafts cannot be kept in this browser");
  }

  /** The time worked since the last change, unless another tab has written meanwhile. */
  #saveTheRest() {
    if (this.phase === "editing" && !this.draft?.isOvertaken) this.#save();
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
