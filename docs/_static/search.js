// Finds sections by words, beginnings of words and words that are nearly right; numbers count.
"use strict";

const COMMON = new Set(
  "a an and are as at be by can do does for from get how i if in into is it its my of on or so that the then to was what when where which why will with without".split(" ")
);
const ALSO = {
  colab: "notebook", compose: "docker", crash: "stopped", crontab: "cron", excel: "xlsx", free: "paying",
  go: "resume", gunicorn: "processes", interrupted: "stopped", ipython: "jupyter", kubernetes: "docker",
  money: "cost", parallel: "processes", price: "cost", quota: "limit", ratelimit: "limit", restart: "resume",
  resume: "stopped", schedule: "cron", spreadsheet: "xlsx", systemd: "cron", throttled: "limit", windows: "console",
  workbook: "xlsx", workers: "processes",
};
const SHOWN = 30;

const words = (text) => text.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
const folded = (word) => word.toLowerCase();

const index = new MiniSearch({
  fields: ["title", "page", "text"],
  storeFields: ["title", "page", "url", "text"],
  tokenize: words,
  processTerm: folded,
  searchOptions: {
    boost: { title: 4, page: 2 },
    prefix: (term) => term.length > 2,
    weights: { prefix: 0.5, fuzzy: 0.2 },
  },
});
index.addAll(SECTIONS.map((section, id) => ({ id, ...section })));

const nearly = (term) => (term.length > 4 && !/\d/.test(term) ? 2 : false);

/** Every section that has all words, then those that have some; where there is none, nearly. */
function find(query) {
  const exact = having(query);
  return exact.length ? exact : having(query, { fuzzy: nearly });
}

function having(query, options) {
  const asked = words(query).filter((word) => !COMMON.has(folded(word)));
  const terms = asked.length ? asked : words(query);
  if (!terms.length) return [];
  const all = { combineWith: "AND", queries: terms.map((term) => ({ combineWith: "OR", queries: meant(term) })) };
  const typed = folded(query.trim());
  const boostDocument = (_, __, { text }) => (terms.length > 1 && folded(text).includes(typed) ? 4 : 1);
  const whole = index.search(all, { ...options, boostDocument });
  const seen = new Set(whole.map((each) => each.id));
  const part = index.search({ ...all, combineWith: "OR" }, options).filter((each) => !seen.has(each.id));
  return [...whole, ...part];
}

const meant = (term) => [term, ALSO[folded(term)]].filter(Boolean);

/** Put what was found around its first word into an element, the words marked. */
function excerpt(element, { text, terms }) {
  const marked = new RegExp(`(${terms.map((term) => `(?<![\\p{L}\\p{N}])${term}[\\p{L}\\p{N}]*`).join("|")})`, "giu");
  const first = Math.max(0, text.search(marked));
  const start = text.lastIndexOf(" ", Math.max(0, first - 80)) + 1;
  const piece = `${start ? "… " : ""}${text.slice(start, start + 240)}${text.length > start + 240 ? " …" : ""}`;
  piece.split(marked).forEach((part, number) => {
    if (number % 2 === 0) return element.append(part);
    const mark = document.createElement("mark");
    mark.textContent = part;
    element.append(mark);
  });
}

function show(query) {
  const results = find(query);
  const items = results.slice(0, SHOWN).map((result) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = result.url;
    link.textContent = result.title;
    const page = document.createElement("span");
    if (result.page !== result.title) page.textContent = ` in ${result.page}`;
    const text = document.createElement("p");
    excerpt(text, result);
    item.append(link, page, text);
    return item;
  });
  document.getElementById("found").replaceChildren(...items);
  document.getElementById("count").textContent = !query.trim()
    ? ""
    : results.length
      ? `${results.length} found`
      : "Nothing was found. Other words may be there: an option, a status, a part of a message.";
}

const field = document.getElementById("query");
field.value = new URLSearchParams(location.search).get("q") ?? "";
field.addEventListener("input", () => {
  history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`);
  show(field.value);
});
field.form.addEventListener("submit", (event) => event.preventDefault());
show(field.value);
