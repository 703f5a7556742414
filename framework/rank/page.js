// The page on which people rank. What a model wrote is only ever set as textContent. Every step is saved as it is made.
"use strict";

const at = (id) => document.getElementById(id);
let rater = "", item = null, order = [], ties = [], total = 0, history = [];
let judging = false;  // what is judged stays as it is until the next prompt is there

function say(text, wrong = false) {
  at("say").textContent = text;
  at("say").className = text ? "said" + (wrong ? " wrong" : "") : "";
  clearTimeout(say.timer);
  say.timer = 0;
  if (!wrong) fade();
}
// What went wrong stands there until something has gone well, and then as long as anything else.
const fade = () => (say.timer ||= setTimeout(() => (at("say").className = ""), 2500));
function fail(text) {
  say(text, true);
  throw new Error(text);
}

async function ask(what, body = {}) {
  let answer;
  try {
    answer = await fetch(what, { method: "POST", body: JSON.stringify({ rater, ...body }) });
  } catch {
    fail("The program is no longer running; start it again, nothing that was saved is lost");
  }
  const text = await answer.text();
  if (answer.status === 403) fail(text);
  const value = JSON.parse(text);
  if (value.error) fail(value.error);
  fade();
  return value;
}

// Steps are saved one after the other, in the order they were made.
let line = Promise.resolve();
const then = (step) => (line = line.then(step, step).catch(() => {}));

function made(name, className, text) {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

function draw(focused) {
  const list = at("answers");
  list.replaceChildren();
  let rank = 0;
  order.forEach((id, i) => {
    if (!ties[i] || i === 0) ++rank;
    const place = item.answers.findIndex((a) => a.id === id), answer = item.answers[place];
    const card = document.createElement("li");
    card.tabIndex = 0;
    card.dataset.id = id;
    if (i > 0 && ties[i]) card.classList.add("tied");
    const letter = String.fromCharCode(65 + place);
    card.append(made("span", "rank", rank), made("pre", "", answer.text), made("span", "letter", letter),
      made("span", "grip", "⠿"));
    card.setAttribute("aria-label", `Answer ${letter}, rank ${rank}${i > 0 && ties[i] ? ", tied with the one above" : ""}`);
    if (answer.source) card.append(made("span", "source", answer.source));
    if (i > 0) {
      const relation = made("button", "relation", ties[i] ? "= a tie" : "better than");
      relation.type = "button";
      relation.tabIndex = -1;
      relation.addEventListener("click", () => tie(i));
      card.append(relation);
    }
    card.querySelector(".grip").addEventListener("pointerdown", (event) => drag(event, card));
    list.append(card);
    if (id === focused) card.focus();
  });
}

// As a draft. The cards stay: one that is drawn anew under a mouse button that is held loses the click.
function keep() {
  const body = { index: item.index, order: [...order], ties: [...ties], note: at("note").value, draft: true };
  then(() => ask("/save", body));
}

function changed(focused) {
  draw(focused);
  keep();
}

function tie(i) {
  if (judging || i < 1) return;
  ties[i] = !ties[i];
  changed(order[i]);
}

// Out of its tie; into one where it lands between two that tie.
function move(from, to) {
  if (judging || to < 0 || to >= order.length || from === to) return;
  const [id] = order.splice(from, 1), [was] = ties.splice(from, 1);
  if (from < ties.length && !was) ties[from] = false;
  order.splice(to, 0, id);
  ties.splice(to, 0, to < ties.length && to > 0 && ties[to]);
  ties[0] = false;
  changed(id);
}

function join(from, onto) {
  if (judging) return;
  const id = order[from], other = order[onto];
  const [was] = (order.splice(from, 1), ties.splice(from, 1));
  if (from < ties.length && !was) ties[from] = false;
  const place = order.indexOf(other) + 1;
  order.splice(place, 0, id);
  ties.splice(place, 0, true);
  ties[0] = false;
  changed(id);
}

function drag(event, card) {
  event.preventDefault();
  const from = order.indexOf(Number(card.dataset.id)), grip = event.currentTarget, begin = event.clientY + scrollY;
  const others = [...at("answers").children].filter((c) => c !== card);
  let target = null;
  const clear = () => others.forEach((c) => c.classList.remove("onto", "before", "after"));
  grip.setPointerCapture(event.pointerId);
  card.classList.add("dragged");
  const moved = (e) => {
    card.style.transform = `translateY(${e.clientY + scrollY - begin}px)`;
    clear();
    target = null;
    for (const other of others) {
      const box = other.getBoundingClientRect(), part = (e.clientY - box.top) / box.height;
      const place = order.indexOf(Number(other.dataset.id));
      if (part > 0.25 && part < 0.75) target = { card: other, mark: "onto", onto: place };
      else if (part >= -0.3 && part <= 0.25) target = { card: other, mark: "before", to: place - (from < place) };
      else if (part >= 0.75 && part <= 1.3 && !target) target = { card: other, mark: "after", to: place + (from > place) };
    }
    if (target) target.card.classList.add(target.mark);
  };
  const ended = () => {
    grip.removeEventListener("pointermove", moved);
    clear();
    if (judging || !target) draw(order[from]);
    else if (target.mark === "onto") join(from, target.onto);
    else move(from, target.to);
  };
  grip.addEventListener("pointermove", moved);
  grip.addEventListener("pointerup", ended, { once: true });
  grip.addEventListener("pointercancel", () => { target = null; ended(); }, { once: true });
}

function counted(state) {
  total = state.total;
  const n = state.judged + state.skipped;
  at("bar").firstElementChild.style.width = `${(100 * n) / total}%`;
  at("bar").setAttribute("aria-valuenow", Math.round((100 * n) / total));
  at("count").textContent = `${n} of ${total}${state.skipped ? `, ${state.skipped} skipped` : ""}`;
}

async function show(index, focus = 0) {
  if (index === null) return finished();
  item = await ask("/item", { index });
  order = item.order;
  ties = item.ties;
  at("prompt").textContent = item.prompt;
  at("note").value = item.note;
  at("work").hidden = false;
  at("done").hidden = true;
  document.title = `${index + 1} of ${total} · Ranking`;
  draw(order[focus]);
  scrollTo(0, 0);
}

async function finished() {
  const state = await ask("/state");
  counted(state);
  at("work").hidden = true;
  at("done").hidden = false;
  at("summary").textContent = `${state.judged} of ${total} prompts are ranked by ${rater}; the rankings are in ${state.out}. ` +
    "You can close this window, and end the program with Ctrl-C.";
  const rows = state.agreement.map((pair) => {
    const row = document.createElement("tr");
    row.append(made("td", "", `${pair.a}, ${pair.b}`), made("td", "", pair.items), made("td", "", pair.tau.toFixed(2)));
    return row;
  });
  at("agreement").tBodies[0].replaceChildren(...rows);
  at("agreement").hidden = rows.length === 0;
}

// What is judged, as it stands now: kept for good, and the next prompt. Another judgement has to wait until that is seen.
function judge(body) {
  if (judging) return;
  judging = true;
  const index = item.index, note = at("note").value;
  then(async () => {
    try {
      const state = await ask("/save", { index, note, ...body });
      history.push(index);
      counted(state);
      await show(index + 1 < total && state.next !== null && item.judged ? index + 1 : state.next);
    } finally {
      judging = false;
    }
  });
}
const save = () => judge({ order: [...order], ties: [...ties] });
const skip = () => judge({ skip: true });
const back = () => then(async () => {
  const index = at("work").hidden ? total - 1 : Math.max(0, item.index - 1);
  await show(index);
});
const undo = () => then(async () => {
  const { index } = await ask("/undo");
  if (index === null) return say("There is nothing to undo");
  counted(await ask("/state"));
  await show(index);
  say("Undone");
});

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === at("note")) {
    if (event.key === "Escape") at("answers").firstElementChild?.focus();
    return;
  }
  const step = event.key === "ArrowDown" || event.key.toLowerCase() === "j" ? 1
    : event.key === "ArrowUp" || event.key.toLowerCase() === "k" ? -1 : 0;
  const working = !at("work").hidden, card = document.activeElement?.closest?.("li");
  const i = card ? order.indexOf(Number(card.dataset.id)) : -1;
  const keys = {
    "=": () => working && tie(i), Enter: () => working && save(), s: () => working && skip(), u: undo, b: back,
    n: () => working && at("note").focus(), "?": () => at("keys").showModal(),
  };
  // A key that is held says nothing of prompts not yet seen; others, as PageDown, do what they do.
  if (event.repeat && !step) return keys[event.key] && event.preventDefault();
  if (event.target.closest?.("button") && event.key === "Enter") return;
  if (step && working) event.shiftKey ? move(i, i + step) : at("answers").children[Math.min(Math.max(i + step, 0), order.length - 1)].focus();
  else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
});
at("note").addEventListener("change", () => item && !judging && keep());
at("save").addEventListener("click", save);
at("skip").addEventListener("click", skip);
at("undo").addEventListener("click", undo);
at("back").addEventListener("click", back);
at("again").addEventListener("click", back);
at("show-keys").addEventListener("click", () => at("keys").showModal());
at("who").addEventListener("click", () => introduce(""));

function introduce(fixed) {
  const begin = async (as) => {
    const state = await ask("/begin", { rater: as });
    rater = as;
    at("who").textContent = as;
    try { localStorage.setItem("rater", as); } catch { /* a private window keeps nothing */ }
    at("ask-name").close();
    counted(state);
    await show(state.next);
  };
  if (fixed) return then(() => begin(fixed));
  const name = at("name"), refuse = (why) => { name.setCustomValidity(why.message); name.reportValidity(); };
  try { name.value = localStorage.getItem("rater") || ""; } catch { /* the same */ }
  name.oninput = () => name.setCustomValidity("");
  name.oninput();
  at("ask-name").querySelector("form").onsubmit = (event) => {
    event.preventDefault();  // it closes once the program has taken the name
    then(() => begin(name.value.trim()).catch(refuse));
  };
  at("ask-name").onclose = () => rater || at("ask-name").showModal();
  at("ask-name").showModal();
}

then(async () => {
  const state = await ask("/state");
  counted(state);
  at("who").hidden = Boolean(state.rater);
  introduce(state.rater);
});
