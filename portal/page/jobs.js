/** The list of jobs: what is open, how far it is, and the way into the next picture. */
import { button, clock, h, openDialog, putRows } from "./dom.js";
import { forgetOldDrafts } from "./draft.js";
import { call, callUntilHeard, path } from "./net.js";

const LOOK_AGAIN_MS = 3000;
const KINDS = { annotate: "draw", adjust: "correct", verify: "check" };

const UNREACHED = "The server cannot be reached; trying again.";
const ENDED = "Your session has ended. Reload this page to come in again.";

// `state`: what the page sees whenever it looks; `outcome`: what came of the last click.
const [worker, state, outcome, list] = ["worker", "state", "outcome", "jobs"].map((id) => document.getElementById(id));
const out = document.getElementById("out");
const cards = new Map();
let leads = false;

forgetOldDrafts();
await look();

async function look() {
  const reply = await call("GET", path("jobs")).catch(() => null);
  if (reply?.status === 200) show(reply.body);
  else tell(state, reply?.status === 403 ? ENDED : UNREACHED);
  setTimeout(look, LOOK_AGAIN_MS);
}

function show({ worker: name, lead, way_out: wayOut, jobs }) {
  worker.textContent = `You are ${name}.`;
  leads = lead;
  out.hidden = !wayOut;
  out.onclick = () => signOut(wayOut);
  putRows(list, jobs.map(card));
  tell(state, jobs.length ? "" : "No job is open now. This page keeps looking.");
}

function tell(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

function card(job) {
  if (!cards.has(job.job)) cards.set(job.job, newCard(job));
  const { parts, element } = cards.get(job.job);
  const open = job.done < job.total && !/complet|stop|fail/i.test(job.status);
  parts.bar.value = job.done;
  parts.bar.max = Math.max(job.total, 1);
  parts.count.textContent = `${job.done} of ${job.total} pictures done`;
  parts.times.textContent = [
    job.seconds_left == null ? "" : `${clock(job.seconds_left)} left`,
    job.eta_seconds == null || !open ? "" : `about ${clock(job.eta_seconds)} of work`,
    open ? "" : job.status,
  ].filter(Boolean).join(" · ");
  parts.label.textContent = job.mine_open ? "Go on labelling" : "Label";
  parts.label.disabled = parts.rest.disabled = !open;
  parts.rest.hidden = !leads;
  return element;
}

function newCard({ job, title, description, kind }) {
  const heading = h("h2", { id: `job-${job}` }, title);
  const named = { "aria-describedby": heading.id };
  const parts = {
    bar: h("progress", { "aria-label": `Progress of ${title}` }),
    count: h("span", { class: "count" }),
    times: h("span", { class: "times" }),
    label: button("Label", () => label(job), { class: "primary", ...named }),
    rest: button("Let the others do the rest", () => handOver(job, title), named),
  };
  const element = h("li", {},
    h("div", { class: "what" }, heading, h("span", { class: "kind" }, KINDS[kind] ?? kind), h("code", {}, job)),
    h("p", {}, description ?? ""),
    parts.bar,
    h("p", { class: "numbers" }, parts.count, parts.times),
    h("div", { class: "actions" }, parts.label, parts.rest));
  return { parts, element };
}

async function label(job) {
  const waiting = (seconds) => tell(outcome, seconds ? UNREACHED : "");
  const { body } = await callUntilHeard("POST", path("jobs", job, "next"), undefined, waiting);
  if (body.task) location.assign(`/tasks/${encodeURIComponent(body.task)}`);
  else tell(outcome, body.message ?? "No picture of this job waits for you now.");
}

async function signOut(wayOut) {
  const { body } = await callUntilHeard("POST", wayOut);
  location.assign(body.next ?? "/");
}

function handOver(job, title) {
  const go = button("Let them", async () => {
    dialog.close();
    const { body } = await callUntilHeard("POST", path("jobs", job, "hand-over"));
    tell(outcome, body.message ?? `${body.handed_over} pictures of “${title}” were handed over.`);
  }, { class: "primary" });
  const text = `The other workers answer every picture of “${title}” that is left. What you submitted stays.`;
  const dialog = openDialog("Let the others do the rest?", h("p", {}, text), go);
}
