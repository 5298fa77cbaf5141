"use strict";
// Draws what the server streams. Every text goes in as text, never as markup.

const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");
const SVG = "http://www.w3.org/2000/svg";
const HISTORY_MS = 300000;

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}
function draw(name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Numbers, with their units.
const whole = new Intl.NumberFormat("en");
const count = (n) => n >= 1e9 ? (n / 1e9).toFixed(2) + " G" : n >= 1e7 ? (n / 1e6).toFixed(1) + " M" : whole.format(Math.round(n));
function time(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return ms === 0 ? "0\u00a0ms" : ms.toFixed(1) + "\u00a0ms";
  if (ms < 1000) return Math.round(ms) + "\u00a0ms";
  if (ms < 10000) return (ms / 1000).toFixed(1) + "\u00a0s";
  if (ms < 120000) return Math.round(ms / 1000) + "\u00a0s";
  if (ms < 7200000) return Math.round(ms / 60000) + "\u00a0min";
  if (ms < 172800000) return Math.round(ms / 3600000) + "\u00a0h";
  if (ms < 63115200000) return Math.round(ms / 86400000) + "\u00a0days";
  return count(ms / 31557600000) + "\u00a0years";
}
function bytes(n) {
  if (n === null || n === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit += 1; }
  return (unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + "\u00a0" + units[unit];
}
const plain = (name) => name.replaceAll("_", " ");
const plural = (n, one) => count(n) + " " + one + (n === 1 ? "" : "s");

// What is known: the last frame, those before it, and what the reader has chosen.
let frame = null, came = 0, loop = 0, chosen = null;
const past = [];
let sort = { key: "age_ms", down: true };

function set(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

// Key figures.
function tiles(status) {
  const last = past[past.length - 1];
  // Over two seconds, or what there is of them: two frames may come at once.
  const first = past.findLast((it) => last.at - it.at >= 2000) || past[0];
  const seconds = (last.at - first.at) / 1000;
  last.rate = seconds >= 0.4 ? (status.requests - first.requests) / seconds : null;
  set("version", status.version);
  set("rate", last.rate === null ? "–" : count(last.rate) + " /s");
  set("requests", count(status.requests) + " in all");
  set("open", count(status.connections.open));
  set("accepted", count(status.connections.accepted) + " accepted");
  set("armed", count(status.timers.armed));
  set("memory", bytes(status.memory.resident_bytes));
  const loops = frame.loops.filter(Boolean);
  set("fired", count(loops.reduce((sum, it) => sum + it.wheel.fired, 0)) + " fired");
  const orphans = loops.reduce((sum, it) => sum + it.wheel.orphans, 0);
  set("orphans", count(orphans));
  $("orphans").className = orphans === 0 ? "good" : "bad";
  set("latency99", quantile(status.latency, past.slice(-21).find((it) => it.latency).latency, 0.99));
}
function quantile(now, before, share) {
  const counts = now.buckets.map((it, i) => it.count - before.buckets[i].count);
  const all = counts.reduce((sum, n) => sum + n, 0);
  if (all === 0) return "–";
  let left = all * share;
  const at = counts.findIndex((n) => (left -= n) <= 0);
  const bound = now.buckets[at].le_ms;
  return bound === null ? "> 10 s" : at === 0 ? "one turn" : "≤ " + time(bound);
}

// The wheel. Slots come as pairs of number and count, level by level, and what is listed of them beside.
function slots(w) {
  const listed = new Map(w.listed.map((it) => [it.level + "." + it.slot, it.entries]));
  w.slots = w.levels.flatMap((pairs, level) => {
    const found = [];
    for (let i = 0; i < pairs.length; i += 2) {
      found.push({ level, slot: pairs[i], count: pairs[i + 1], entries: listed.get(level + "." + pairs[i]) || [] });
    }
    return found;
  });
}
const rings = { key: "", hands: [], dots: new Map() };
const angle = (slot) => (slot / 256) * 2 * Math.PI - Math.PI / 2;
// The slot of a deadline as seen from now: of the highest digit in which they differ. Ticks are exact
// up to 2^53, far beyond what a page lives to see.
function place(now, deadline) {
  let level = 0;
  while (Math.floor(now / 256 ** (level + 1)) !== Math.floor(deadline / 256 ** (level + 1))) level += 1;
  return { level, slot: Math.floor(deadline / 256 ** level) % 256 };
}
function ringOf(level, levels) {
  const step = Math.min(35, 140 / levels);
  return { r: 196 - level * step, w: step * 0.66 };
}
function wheel(view) {
  const svg = $("wheel"), w = view.wheel;
  const levels = Math.max(4, ...w.slots.map((it) => it.level + 1));
  if (rings.key !== String(levels)) {
    rings.key = String(levels);
    rings.dots.clear();
    rings.hands = [];
    svg.replaceChildren();
    for (let level = 0; level < levels; level++) {
      const { r, w: width } = ringOf(level, levels);
      // A tooth for each slot.
      const tick = (2 * Math.PI * r) / 256;
      svg.append(draw("circle", { class: "ring", r, "stroke-width": width, transform: "rotate(-90)",
        "stroke-dasharray": `${tick * 0.7} ${tick * 0.3}`, "stroke-dashoffset": tick * 0.35 }));
      const past = draw("circle", { class: "past", r, "stroke-width": width, transform: "rotate(-90)" });
      const hand = draw("line", { class: "hand", y1: -(r - width * 0.72), y2: -(r + width * 0.72) });
      rings.hands.push({ hand, past, r });
      svg.append(past, hand);
    }
    rings.group = draw("g");
    svg.append(rings.group);
    for (let level = 0; level < levels; level++) {
      const { r } = ringOf(level, levels);
      const span = (w.tick_ns * 256 ** (level + 1)) / 1e6;
      svg.append(draw("text", { class: "level", y: r + 4 }, time(span)));
    }
    rings.hub = draw("text", { class: "hub", y: 2 });
    rings.hubSub = draw("text", { class: "hub-sub", y: 18 });
    svg.append(rings.hub, rings.hubSub);
  }
  const earliest = w.next_tick, soon = place(w.tick, earliest);
  const seen = new Set();
  let next = null;
  for (const slot of w.slots) {
    const key = slot.level + "." + slot.slot;
    seen.add(key);
    let dot = rings.dots.get(key);
    if (!dot) {
      const { r, w: width } = ringOf(slot.level, levels), a = angle(slot.slot);
      dot = draw("g", { class: "dot", role: "button", tabindex: "-1", "data-slot": key,
        transform: `translate(${(r * Math.cos(a)).toFixed(1)} ${(r * Math.sin(a)).toFixed(1)})` });
      const turn = `rotate(${((slot.slot / 256) * 360).toFixed(2)})`;
      dot.append(draw("line", { class: "slot-mark", y1: -width / 2, y2: width / 2, transform: turn }));
      for (const part of ["reach", "halo", "mark"]) dot.append(draw("circle", { class: part, r: part === "reach" ? 16 : 6 }));
      dot.append(draw("text", { class: "how-many", y: 3.5 }));
      for (const event of ["mouseenter", "focus", "click"]) dot.addEventListener(event, () => choose(key, event));
      rings.dots.set(key, dot);
      rings.group.append(dot);
    }
    // One alone is the tooth; how many there are otherwise stands on it.
    const size = slot.count === 1 ? 0 : 7.5 + Math.min(4, Math.log10(slot.count) * 2);
    dot.querySelector(".mark").setAttribute("r", size);
    dot.querySelector(".halo").setAttribute("r", Math.max(size, 11) + 3);
    dot.querySelector(".how-many").textContent = slot.count === 1 ? "" : short(slot.count);
    const isNext = earliest !== null && slot.level === soon.level && slot.slot === soon.slot;
    if (isNext) next = key;
    dot.classList.toggle("next", isNext);
    dot.classList.toggle("bad", slot.entries.some((it) => !it.owned));
    dot.setAttribute("aria-label", `Level ${slot.level}, slot ${slot.slot}: ${plural(slot.count, "timer")}` + (isNext ? ", next to come" : ""));
  }
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.slot : undefined;
  follow(w, seen, next);
  for (const [key, dot] of rings.dots) {
    if (!seen.has(key)) {
      rings.dots.delete(key);
      dot.remove();
      // The entry has moved on, and who had come to it by keyboard moves with it.
      if (focused === key && chosen && rings.dots.has(chosen.key)) rings.dots.get(chosen.key).focus({ preventScroll: true });
    } else {
      dot.classList.toggle("chosen", Boolean(chosen && chosen.key === key));
      dot.setAttribute("tabindex", chosen && chosen.key === key ? "0" : "-1");
    }
  }
  const gap = earliest === null ? null : Math.max(0, ((earliest - w.tick) * w.tick_ns) / 1e6);
  rings.hub.textContent = gap === null ? "–" : time(gap);
  rings.hubSub.textContent = gap === null ? "nothing armed" : "to the next";
  const facts = [["Armed", count(w.armed)], ["In slots", count(w.slots.length) + " of " + count(levels * 256)], ["Due", count(w.due)],
    ["Fired", count(w.fired)], ["Moved nearer", count(w.cascaded)], ["A tick", (w.tick_ns / 1e6).toFixed(2) + " ms"],
    ["Next deadline", gap === null ? "none" : "in " + time(gap)]];
  $("wheel-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  hands();
}
function hands() {
  const view = frame && frame.loops[loop];
  if (!view) return;
  const w = view.wheel;
  const now = w.tick + (still.matches ? 0 : ((performance.now() - came) * 1e6) / w.tick_ns);
  rings.hands.forEach(({ hand, past, r }, level) => {
    const turn = ((now / 256 ** level) % 256) / 256;
    hand.setAttribute("transform", `rotate(${(turn * 360).toFixed(2)})`);
    const length = 2 * Math.PI * r;
    past.setAttribute("stroke-dasharray", `${(turn * length).toFixed(1)} ${length.toFixed(1)}`);
  });
}
function spin() {
  if (!still.matches && !document.hidden) hands();
  requestAnimationFrame(spin);
}
// A slot that is chosen and emptied: go with its first entry to where that is now.
function follow(w, seen, next) {
  if (chosen && !seen.has(chosen.key)) {
    const same = (it) => chosen.entry && it.value === chosen.entry.value && it.by === chosen.entry.by;
    const to = w.slots.find((slot) => slot.entries.some(same));
    chosen = to ? { key: to.level + "." + to.slot, entry: chosen.entry } : null;
  }
  if (!chosen && next) chosen = { key: next, entry: null };
  list(w);
}
function choose(key, event) {
  const w = frame.loops[loop].wheel;
  const slot = w.slots.find((it) => it.level + "." + it.slot === key);
  chosen = { key, entry: slot ? slot.entries[0] : null };
  for (const [other, dot] of rings.dots) {
    dot.classList.toggle("chosen", other === key);
    dot.setAttribute("tabindex", other === key ? "0" : "-1");
  }
  list(w);
  if (event === "click") rings.dots.get(key).focus({ preventScroll: true });
}
function list(w) {
  const panel = $("slot");
  const slot = chosen && w.slots.find((it) => it.level + "." + it.slot === chosen.key);
  if (!slot) {
    panel.replaceChildren(make("p", { class: "hint" }, w.armed ? "No slot is chosen." : "No timer is armed."));
    return;
  }
  if (!chosen.entry) chosen.entry = slot.entries[0] || null;
  const items = slot.entries.map((it) => {
    const left = ((it.tick - w.tick) * w.tick_ns) / 1e6;
    const item = make("li", { class: it.owned ? "" : "bad" });
    item.append(make("div", {}, make("strong", {}, it.for), " in " + time(Math.max(0, left)) + (it.owned ? "" : ", owner gone")));
    item.append(make("div", { class: "hint" }, it.value + ", armed " + time(it.armed_ms) + " ago" + (it.fired ? ", fired " + plural(it.fired, "time") : "")));
    item.append(make("code", {}, it.by || ""));
    return item;
  });
  if (slot.count > slot.entries.length) items.push(make("li", {}, (items.length ? "and " : "") + count(slot.count - slot.entries.length) + " more, not listed"));
  panel.replaceChildren(make("h3", {}, `Level ${slot.level}, slot ${slot.slot}: ${plural(slot.count, "timer")}`), make("ul", {}, ...items));
}
$("wheel").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !chosen || !frame) return;
  event.preventDefault();
  const keys = frame.loops[loop].wheel.slots.map((it) => it.level + "." + it.slot);
  const to = keys[(keys.indexOf(chosen.key) + step + keys.length) % keys.length];
  if (rings.dots.has(to)) rings.dots.get(to).focus({ preventScroll: true });
});

// The lines of the last minutes: as far back as there is something to show, in steps.
const SPANS = [[60000, 10000, "s"], [120000, 30000, "s"], [HISTORY_MS, 60000, "min"]];
function nice(most) {
  if (most <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((n) => n * power).find((n) => n >= most);
}
function chart() {
  const box = $("chart"), width = box.clientWidth, height = box.clientHeight;
  if (width === 0) return;
  const last = past[past.length - 1], now = last.at;
  const [span, step, unit] = SPANS.find(([span]) => now - past[0].at <= span) || SPANS[SPANS.length - 1];
  const known = past.filter((it) => it.rate !== null);
  const rates = nice(Math.max(0, ...known.map((it) => it.rate))), opens = nice(Math.max(...past.map((it) => it.open)));
  const left = 10 + 6.5 * Math.max(count(rates).length + 3, 4), right = width - 10 - 6.5 * Math.max(count(opens).length, 2);
  const top = 10, bottom = height - 22;
  const x = (at) => right - ((now - at) / span) * (right - left);
  const y = (value, most) => bottom - (value / most) * (bottom - top);
  const svg = draw("svg", { role: "img", "aria-label": `Now ${count(last.rate || 0)} requests per second on ${plural(last.open, "connection")}` });
  for (const part of [0, 0.5, 1]) {
    const at = bottom - part * (bottom - top);
    svg.append(draw("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }));
    svg.append(draw("text", { class: "end a", x: left - 7, y: at + 4 }, part ? count(rates * part) + " /s" : "0"));
    svg.append(draw("text", { class: "b", x: right + 7, y: at + 4 }, count(opens * part)));
  }
  const thin = ((right - left) * step) / span < 50 ? 2 : 1;
  for (let back = 0; back <= span; back += step * thin) {
    const at = x(now - back), far = unit === "s" ? back / 1000 + " s" : back / 60000 + " min";
    const edge = back === 0 ? " end" : back === span ? "" : " middle";
    svg.append(draw("text", { x: at, y: height - 4, class: edge }, back === 0 ? "now" : "−" + far));
  }
  const path = (of, value, most) => of.map((it, i) => (i ? "L" : "M") + x(it.at).toFixed(1) + " " + y(value(it), most).toFixed(1)).join("");
  if (known.length > 0) {
    const line = path(known, (it) => it.rate, rates);
    svg.append(draw("path", { class: "area", d: `${line}L${right} ${bottom}L${x(known[0].at).toFixed(1)} ${bottom}Z` }));
    svg.append(draw("path", { class: "line", d: line }));
  }
  svg.append(draw("path", { class: "line b", d: path(past, (it) => it.open, opens) }));
  box.replaceChildren(svg);
}

// Bars, one for each name.
function bars(id, values) {
  const box = $(id), most = Math.max(1, ...values.map(([, n]) => n));
  if (box.children.length !== values.length) {
    box.replaceChildren(...values.map(() => make("div", { class: "row" }, make("span"), make("i", { "aria-hidden": "true" }, make("b")), make("span"))));
  }
  values.forEach(([name, n], i) => {
    const row = box.children[i];
    // The order may have changed since.
    if (row.dataset.name !== name) {
      row.dataset.name = name;
      row.children[0].textContent = plain(name);
    }
    row.classList.toggle("none", n === 0);
    row.children[1].firstChild.style.width = (n / most) * 100 + "%";
    row.children[2].textContent = count(n);
  });
}
function histogram(id, data, zero) {
  const box = $(id), most = Math.max(1, ...data.buckets.map((it) => it.count));
  if (box.children.length === 0) {
    box.setAttribute("role", "img");
    box.replaceChildren(...data.buckets.map((it, i) => {
      const label = it.le_ms === null ? "more" : i === 0 && zero ? zero : time(it.le_ms).replace("\u00a0", "\u2009");
      return make("div", { class: "bin" }, make("em"), make("b"), make("u", {}, label));
    }));
  }
  data.buckets.forEach((it, i) => {
    const bin = box.children[i];
    bin.children[0].textContent = it.count ? short(it.count) : "";
    bin.children[1].style.height = (it.count ? Math.max(2, (it.count / most) * 70) : 0) + "%";
  });
  const told = data.buckets.filter((it) => it.count).map((it) => count(it.count) + (it.le_ms === null ? " above 10 s" : " up to " + time(it.le_ms)));
  box.setAttribute("aria-label", told.join(", ") || "nothing yet");
}
const short = (n) => n < 1000 ? String(n) : n < 1e6 ? (n / 1e3).toFixed(n < 1e4 ? 1 : 0) + "k" : (n / 1e6).toFixed(n < 1e7 ? 1 : 0) + "M";

// Who owns what.
function owners() {
  $("owner-rows").replaceChildren(...frame.loops.map((view, i) => {
    if (!view) return make("tr", {}, make("th", { scope: "row" }, String(i)), make("td", { colspan: "4" }, "not heard of yet"));
    const w = view.wheel, cell = (text, more = "") => make("td", { class: "n" + more }, text);
    return make("tr", {}, make("th", { scope: "row" }, String(i)), cell(count(view.servers)), cell(count(w.server_timers)), cell(count(w.armed)), cell(count(w.orphans), w.orphans ? " bad" : ""));
  }));
  const all = {};
  for (const view of frame.loops) for (const [name, n] of Object.entries(view ? view.wheel.owners : {})) all[name] = (all[name] || 0) + n;
  set("owner-kinds", "Entries by owner: " + (Object.entries(all).sort((a, b) => b[1] - a[1]).map(([name, n]) => plural(n, name)).join(", ") || "none") + ".");
  const trial = frame.loops.map((view) => view && view.trial).find((it) => it && it.running) || frame.loops.map((view) => view && view.trial).find(Boolean);
  $("try").disabled = Boolean(trial && trial.running);
  if (!trial) return;
  const clean = !trial.running && trial.alive === 0 && trial.timers_left === 0;
  const key = JSON.stringify(trial);
  if ($("trial").dataset.key === key) return;
  $("trial").dataset.key = key;
  $("trial").classList.toggle("bad", !trial.running && !clean);
  const verdict = trial.running ? `${count(trial.made)} of ${count(trial.asked)} made and dropped …` : clean ? "Nothing remains." : "Something remains.";
  const more = trial.running ? "" : ` ${plural(trial.made, "server")} made and dropped, ${count(trial.bound)} of them bound. Servers alive at most ${count(trial.alive_most)}, now ${count(trial.alive)}. ` +
    `Their entries in the wheel at most ${count(trial.timers_most)}, now ${count(trial.timers_left)}. Memory ${bytes(trial.memory_before)} before, ${bytes(trial.memory_now)} after.`;
  $("trial").replaceChildren(make("strong", {}, verdict), more);
}

// The table of connections. Each comes as its values, in this order.
function connection([id, peer, phase, phase_ms, age_ms, name, left_ms, of_ms, requests, bytes_in, bytes_out]) {
  const deadline = name === null ? null : { class: name, left_ms, of_ms };
  return { id, peer, phase, phase_ms, age_ms, deadline, requests, bytes_in, bytes_out };
}
const COLUMNS = [
  ["peer", "Peer", (it) => it.peer || "–", (it) => it.peer || ""],
  ["phase", "Phase", phase, (it) => it.phase],
  ["age_ms", "Age", (it) => time(it.age_ms), (it) => it.age_ms, true],
  ["left", "Deadline", deadline, (it) => it.deadline ? it.deadline.left_ms : Infinity],
  ["requests", "Requests", (it) => count(it.requests), (it) => it.requests, true],
  ["bytes_in", "Received", (it) => bytes(it.bytes_in), (it) => it.bytes_in, true],
  ["bytes_out", "Sent", (it) => bytes(it.bytes_out), (it) => it.bytes_out, true],
];
function phase(it) {
  return make("span", {}, make("span", { class: "phase" }, plain(it.phase)), make("span", { class: "hint" }, " for " + time(it.phase_ms)));
}
function deadline(it) {
  if (!it.deadline) return "none";
  const { class: name, left_ms, of_ms } = it.deadline, share = Math.min(1, left_ms / of_ms);
  const fill = make("b");
  fill.style.width = share * 100 + "%";
  return make("span", { class: "left" + (share < 0.25 ? " soon" : "") }, make("i", { "aria-hidden": "true" }, fill), `${time(left_ms)} of ${time(of_ms)}, ${plain(name)}`);
}
function heads() {
  $("heads").replaceChildren(...COLUMNS.map(([key, name, , , number]) => {
    const button = make("button", { type: "button" }, name);
    const head = make("th", { scope: "col", role: "columnheader", class: number ? "n" : "" }, button);
    button.addEventListener("click", () => {
      sort = { key, down: sort.key === key ? !sort.down : Boolean(number) };
      marks();
      if (frame) table();
    });
    head.dataset.key = key;
    return head;
  }), make("th", { scope: "col", role: "columnheader", class: "c-close" }, make("span", { class: "quiet" }, "Close")));
  marks();
}
function marks() {
  for (const head of $("heads").children) {
    if (head.dataset.key === sort.key) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}
const rows = new Map();
function table() {
  const all = frame.loops.flatMap((view, i) => (view ? view.connections.map((it) => ({ ...it, loop: i })) : []));
  const by = COLUMNS.find(([key]) => key === sort.key)[3];
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  all.sort((a, b) => (sort.down ? -1 : 1) * order(by(a), by(b)) || order(a.loop + a.id, b.loop + b.id));
  const seen = new Set();
  all.forEach((it, place) => {
    const key = it.loop + " " + it.id;
    seen.add(key);
    let row = rows.get(key);
    if (!row) {
      row = make("tr", { "data-connection": key, role: "row" });
      for (const [name, label, , , number] of COLUMNS) row.append(make("td", { class: "c-" + name + (number ? " n" : ""), role: "cell", "data-label": label }));
      const button = make("button", { type: "button", class: "act", "aria-label": "Close the connection of " + (it.peer || it.id) }, "Close");
      button.addEventListener("click", () => close(key, it.peer || it.id, button));
      row.append(make("td", { class: "c-close n", role: "cell" }, button));
      rows.set(key, row);
    }
    COLUMNS.forEach(([, , show], i) => row.children[i].replaceChildren(show(it)));
    const body = $("rows");
    if (body.children[place] !== row) body.insertBefore(row, body.children[place] || null);
  });
  for (const [key, row] of rows) if (!seen.has(key)) { rows.delete(key); row.remove(); }
  const open = frame.status.connections.open;
  set("shown", open > all.length ? `the ${count(all.length)} oldest of ${count(open)}` : plural(open, "connection") + ", this page's among them");
}
async function close(key, name, button) {
  button.disabled = true;
  set("told", await tell("close", key, "Closed the connection of " + name + "."));
}
async function tell(path, body, done) {
  try {
    const answer = await fetch(path, { method: "POST", body });
    return answer.ok ? done : (await answer.text()).trim();
  } catch {
    return "The server does not answer.";
  }
}
$("try").addEventListener("click", async () => {
  $("try").disabled = true;
  set("trial", await tell("servers", "", "Asked for."));
});
$("loop").addEventListener("change", () => { loop = Number($("loop").value); chosen = null; if (frame) show(); });

function pick() {
  const n = frame.loops.length;
  $("loop-pick").hidden = n < 2;
  if ($("loop").length !== n && n > 0) $("loop").replaceChildren(...frame.loops.map((_, i) => make("option", { value: i }, String(i))));
  if (loop >= n) loop = 0;
}
function show() {
  const status = frame.status;
  pick();
  tiles(status);
  if (frame.loops[loop]) wheel(frame.loops[loop]);
  chart();
  bars("phases", Object.entries(PHASES.reduce((all, name) => ({ ...all, [name]: status.connections.phases[name] }), {})));
  bars("closes", Object.entries(status.connections.closed).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 8));
  histogram("latency", status.latency, "a turn");
  histogram("lateness", status.lateness);
  if (!frame.omitted) { owners(); table(); }
}
const PHASES = ["first_byte", "headers", "body", "handler", "write", "idle", "upgraded", "linger"];

// What it was like before anybody looked.
async function before() {
  try {
    const points = await (await fetch("history")).json(), now = Date.now();
    const first = past.length ? past[0].at : now;
    const earlier = points.map(([ago, requests, open]) => ({ at: now - ago, requests, open, latency: null, rate: null })).filter((it) => it.at < first);
    earlier.forEach((it, i) => {
      const last = earlier[i - 1];
      if (last) it.rate = ((it.requests - last.requests) * 1000) / (it.at - last.at);
    });
    past.unshift(...earlier.filter((it) => now - it.at <= HISTORY_MS));
  } catch {
    // There is none, and the lines begin now.
  }
}
function connect() {
  const source = new EventSource("events");
  source.onmessage = (event) => {
    frame = JSON.parse(event.data);
    for (const view of frame.loops) if (view) {
      slots(view.wheel);
      view.connections = view.connections.map(connection);
    }
    came = performance.now();
    const at = Date.now(), status = frame.status;
    // It was started anew, and counts from zero.
    if (past.length && past[past.length - 1].requests > status.requests) past.length = 0;
    past.push({ at, requests: status.requests, open: status.connections.open, latency: status.latency, rate: null });
    while (past.length > 1 && at - past[0].at > HISTORY_MS) past.shift();
    state("live", "live, " + plural(frame.viewers, "viewer"));
    show();
  };
  source.onerror = () => {
    state("lost", "The server does not answer; trying again");
    // The browser tries again by itself, unless it was told no.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}
function state(kind, text) {
  $("link").className = "state " + kind;
  set("link", text);
}
// Frames may come less often than usual: a busy loop has better things to do.
setInterval(() => {
  const quiet = performance.now() - came;
  if (frame && quiet > 3000 && $("link").className === "state live") set("link", "last heard of " + time(quiet) + " ago");
}, 1000);
heads();
before().then(connect);
spin();
addEventListener("resize", () => { if (frame) chart(); });
