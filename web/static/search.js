// The search page: asks MiniSearch about the sections of the book (tools/sphinx_search.py).
"use strict";

(() => {
  const MOST = 20; // sections that are shown
  const LEAST = 0.02; // the worst of them, as a share of the best
  // Words of a question that say nothing about its subject.
  const IDLE = new Set(
    (
      "a about an and any are as at be been but by can could did do does doing for from get gets " +
      "getting give gives go goes had has have how i if in into is it its just like make makes me " +
      "mean means more most much many my no not of on one or our should so some than that the their them then there " +
      "these they thing this those to too up use used uses using very was we were what when where " +
      "which while who why will with without would you your"
    ).split(" "),
  );

  // --- What is found -----------------------------------------------------------------------------

  const stemmer = new Stemmer(); // Sphinx's: sampling, samples and sample are one word
  const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const stem = (word) => (IDLE.has(word) ? null : stemmer.stemWord(word));

  const index = new MiniSearch({
    idField: "to",
    fields: ["heading", "terms", "page", "claims", "prose", "figures"],
    extractField: (entry, field) => [entry[field] ?? ""].flat().join(". "),
    tokenize: wordsOf,
    processTerm: stem,
    searchOptions: {
      boost: { heading: 6, terms: 5, page: 3, claims: 3, prose: 1, figures: 0.7 },
      prefix: (term) => term.length > 3,
      fuzzy: (term) => (term.length > 5 ? 0.15 : false),
      weights: { prefix: 0.4, fuzzy: 0.2 },
      boostDocument: (to) => trust(sections.get(to)),
    },
  });
  const sections = new Map(SECTIONS.map((entry) => [entry.to, entry]));
  index.addAll(SECTIONS);

  // A question is answered by a section of a chapter; others name the same words in passing.
  function trust({ to, heading }) {
    if (!to.includes("#")) return 0.5; // how a chapter begins
    if (/^(reference|bibliography)/.test(to) || heading === "Sources") return 0.25;
    return /^(Exercises|What to take away)$/.test(heading) || /^intro/.test(to) ? 0.5 : 1;
  }

  // The sections that match the most words of the question come first.
  function search(question) {
    const asked = new Set(wordsOf(question).map(stem).filter(Boolean)).size;
    const hits = index
      .search(question)
      .map((hit) => ({ ...hit, score: hit.score * (hit.queryTerms.length / asked) ** 2 }))
      .sort((one, other) => other.score - one.score);
    return hits.filter((hit) => hit.score > LEAST * hits[0].score);
  }

  // The term that is asked for and nothing else, by any of its names.
  function termOf(question) {
    const same = (name) => wordsOf(name).map(stem).filter(Boolean).join(" ");
    const asked = same(question);
    return asked && TERMS.find((term) => [term.name, ...term.also].some((n) => same(n) === asked));
  }

  // --- How it is shown ---------------------------------------------------------------------------

  const field = document.getElementById("ddl-question");
  const count = document.getElementById("ddl-count");
  const answer = document.getElementById("ddl-answer");
  const list = document.getElementById("search-results");

  function make(kind, about, ...children) {
    const node = Object.assign(document.createElement(kind), about);
    node.append(...children);
    return node;
  }

  // The sentence of a section that holds the most of what was asked: a claim, or one of its prose.
  function sentence(entry, stems) {
    const claims = entry.claims ?? [];
    const prose = (entry.prose ?? "").match(/.+?[.!?](?=\s|$)|.+$/g) ?? [];
    const held = (text) => new Set(wordsOf(text).map(stem).filter((word) => stems.has(word))).size;
    const best = [...claims, ...prose].reduce(
      (found, text) => (held(text) > found.held ? { text, held: held(text) } : found),
      { text: prose[0] ?? claims[0] ?? "", held: 0 },
    ).text.trim();
    return best.length > 240 ? `${best.slice(0, 240).replace(/\s\S*$/, "")} …` : best;
  }

  // The words that were asked for are marked.
  function marked(text, stems) {
    const parts = text.split(/([\p{L}\p{N}]+)/u);
    return parts.map((part, at) =>
      at % 2 && stems.has(stem(part.toLowerCase())) ? make("mark", { textContent: part }) : part,
    );
  }

  function item(hit) {
    const entry = sections.get(hit.id);
    const stems = new Set(hit.terms);
    const link = make("a", { href: entry.to }, ...marked(entry.heading, stems));
    const from = make("span", { className: "ddl-from", textContent: entry.page });
    return make("li", {}, link, from, make("p", {}, ...marked(sentence(entry, stems), stems)));
  }

  function show() {
    const question = field.value.trim();
    const hits = search(question);
    const term = termOf(question);
    const name = term && make("a", { href: term.to, textContent: term.name });
    answer.hidden = !term;
    answer.replaceChildren(
      ...(term ? [make("dt", {}, name), make("dd", { textContent: term.says })] : []),
    );
    list.replaceChildren(...hits.slice(0, MOST).map(item));
    const sum = hits.length > MOST ? `the best ${MOST} of ${hits.length} sections` : `${hits.length} sections`;
    count.textContent = !question
      ? ""
      : hits.length
        ? `Found ${hits.length === 1 ? "one section" : sum}.`
        : "Nothing was found. Try other words, or the glossary.";
    document.title = question ? `${question} - Search` : "Search";
  }

  // The arrows move between the field and what was found.
  document.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const stops = [field, ...document.querySelectorAll("#ddl-answer a, #search-results a")];
    const from = stops.indexOf(document.activeElement);
    if (!step || from < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const next = stops[from + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  let waiting;
  field.addEventListener("input", () => {
    clearTimeout(waiting); // a screen reader hears the count once the reader has stopped writing
    waiting = setTimeout(() => {
      show();
      if (location.protocol !== "file:") { // there, an address may not change
        history.replaceState(null, "", `?q=${encodeURIComponent(field.value.trim())}`);
      }
    }, 150);
  });
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });

  field.value = new URLSearchParams(location.search).get("q") ?? "";
  show();
  field.focus();
})();
