// Offers the interactive figures of a page; loads nothing until one is started.
"use strict";

(() => {
  const here = new URL("interactive/", document.currentScript.src);

  // Printed code and columns keep their lines, a message is wrapped.
  for (const printed of document.querySelectorAll(".cell_output pre")) {
    printed.classList.toggle("ddl-columns", / {2}\S/.test(printed.textContent));
  }

  // A wide block of code, output or table scrolls in its own box; the keyboard must reach it.
  const scrolling = "pre, .table-wrapper, .ddl-formula, .math-wrapper";
  const reach = () => {
    for (const box of document.querySelectorAll(scrolling)) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    }
  };
  reach(); // and again when pictures and fonts are there
  addEventListener("load", reach);
  addEventListener("resize", reach);

  // What a browser remembers for this reader, if it does.
  const memory = (key, value) => {
    try {
      if (value !== undefined) {
        localStorage.setItem(`ddl-${key}`, value);
      }
      return localStorage.getItem(`ddl-${key}`);
    } catch {
      return null;
    }
  };

  // Code that only shows is folded; a reader may want to see all of it, or none.
  const head = document.querySelector(".ddl-launch");
  if (head && document.querySelector("details.ddl-code")) {
    const label = document.createElement("label");
    label.className = "ddl-unfold";
    label.innerHTML =
      'Code <select><option value="core">that matters</option><option value="all">all</option>' +
      '<option value="none">none</option></select>';
    const select = label.querySelector("select");
    select.value = ["all", "none"].includes(memory("code")) ? memory("code") : "core";
    const unfold = () => {
      for (const box of document.querySelectorAll("details:is(.ddl-code, .ddl-core)")) {
        box.open = select.value === "all" || (select.value === "core" && box.matches(".ddl-core"));
      }
    };
    select.addEventListener("change", () => {
      memory("code", select.value);
      unfold();
    });
    head.append(label);
    if (select.value !== "core") {
      unfold();
    }
  }

  // Guess first: a claim that asks hides its number, and the figure before it, until then.
  const digits = (number) => Number(number.toPrecision(3)).toLocaleString("en");
  const told = (card, guess) => {
    card.classList.remove("ddl-asking");
    card.querySelector(".ddl-guess")?.remove();
    for (const veiled of document.querySelectorAll(`[data-veil="${card.id}"]`)) {
      veiled.removeAttribute("data-veil");
    }
    if (guess) {
      const term = document.createElement("div");
      term.innerHTML = `<dt style="display:inline;font-style:italic">your guess</dt> <dd style="display:inline;margin:0">${digits(Number(guess))}</dd>`;
      card.querySelector("dl").append(term);
    }
  };
  for (const card of document.querySelectorAll("[data-ask]")) {
    const ask = JSON.parse(card.dataset.ask);
    const known = memory(`guess-${location.pathname}#${card.id}`);
    if (known !== null) {
      told(card, known);
      continue;
    }
    const scale = ask.log ? Math.log : (x) => x;
    const back = ask.log ? Math.exp : (x) => x;
    const [least, most] = [scale(ask.least), scale(ask.most)];
    const form = document.createElement("form");
    form.className = "ddl-guess";
    form.innerHTML =
      '<label><span></span> <input type="range" min="0" max="1" step="0.005" value="0.5"></label>' +
      ' <output></output> <button>See what was measured</button>' +
      ' <button type="button">Skip</button>';
    form.querySelector("span").textContent = ask.question;
    const slider = form.querySelector("input");
    const guess = () => back(least + (most - least) * Number(slider.value));
    const tell = () => {
      form.querySelector("output").textContent = digits(guess());
      slider.setAttribute("aria-valuetext", digits(guess()));
    };
    slider.addEventListener("input", tell);
    tell();
    const end = (answer) => {
      memory(`guess-${location.pathname}#${card.id}`, answer);
      told(card, answer);
      card.querySelector(".ddl-permalink")?.focus({ preventScroll: true });
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      end(String(guess()));
    });
    form.querySelector("button[type=button]").addEventListener("click", () => end(""));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        end("");
      }
    });
    const before = card.closest(".cell")?.previousElementSibling;
    for (const picture of before?.matches(".cell") ? before.querySelectorAll("img") : []) {
      picture.dataset.veil = card.id;
    }
    card.classList.add("ddl-asking");
    card.append(form);
  }

  // On a phone a figure's letters are small: a tap shows the picture by itself, to be zoomed.
  if (matchMedia("(max-width: 46em)").matches) {
    for (const picture of document.querySelectorAll(".cell_output img")) {
      const link = document.createElement("a");
      link.className = "ddl-enlarge";
      link.href = picture.src;
      picture.replaceWith(link);
      link.append(picture);
    }
  }

  // Escape puts the line over a term away, until the pointer or the focus moves on.
  const quiet = (now) => document.body.classList.toggle("ddl-quiet", now);
  addEventListener("keydown", (event) => event.key === "Escape" && quiet(true));
  for (const moved of ["mouseout", "focusout"]) addEventListener(moved, () => quiet(false));

  for (const place of document.querySelectorAll(".ddl-interactive")) {
    const name = place.dataset.interactive;
    const offer = `Start the interactive figure (${place.dataset.size})`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ddl-start";
    button.textContent = offer;
    const note = document.createElement("p");
    note.setAttribute("role", "alert");
    place.querySelector(".ddl-not-started").replaceWith(button);
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.textContent = "Loading …";
      note.remove();
      try {
        if (location.protocol === "file:") {
          throw new Error(
            "Interactive figures need a web server. In the site's folder run: " +
              "python3 -m http.server --bind 127.0.0.1 8000, and open http://127.0.0.1:8000",
          );
        }
        const [figure, numbers] = await Promise.all([
          import(new URL(`${name}.js`, here)),
          fetch(new URL(`data/${name}.json`, here)).then((answer) => answer.json()),
        ]);
        const stage = document.createElement("div");
        stage.className = "ddl-stage";
        await figure.start(stage, numbers, (model) => new URL(`data/${name}.${model}.onnx`, here));
        button.replaceWith(stage);
        place.dataset.started = "true";
        stage.querySelector("input, button, select, [tabindex]")?.focus({ preventScroll: true });
      } catch (problem) {
        button.disabled = false;
        button.textContent = offer;
        note.textContent = problem.message;
        button.after(note);
      }
    });
  }
})();

// Where the reader is: the section's name, and how much of the page lies above.
(() => {
  const bar = document.querySelector(".mobile-header");
  const section = bar.querySelector(".ddl-section");
  const name = section.textContent;
  addEventListener("gumshoeActivate", (event) => {
    section.textContent = event.detail.link.textContent;
  });
  addEventListener("gumshoeDeactivate", () => {
    section.textContent = name;
  });
  const read = () => {
    const page = document.documentElement;
    const share = page.scrollTop / Math.max(1, page.scrollHeight - page.clientHeight);
    bar.style.setProperty("--ddl-read", share);
  };
  read();
  addEventListener("scroll", read, { passive: true });
  addEventListener("resize", read);

  // Menu and outline are folded away once an entry is chosen.
  for (const drawer of document.querySelectorAll("[popover]")) {
    drawer.addEventListener("click", (event) => {
      if (event.target.closest("a")) {
        drawer.hidePopover?.();
      }
    });
  }

  // The button for the theme says which one there is.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const tell = () => {
    const theme = document.body.dataset.theme;
    const own = `as the system, ${dark.matches ? "dark" : "light"}`;
    for (const button of document.querySelectorAll(".theme-toggle")) {
      button.title = `Theme: ${theme === "auto" ? own : theme}`;
      button.setAttribute("aria-label", button.title);
    }
  };
  tell();
  dark.addEventListener("change", tell);
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
})();

// The ledger's filter: a group with matches opens, one without is hidden.
(() => {
  const form = document.querySelector(".ddl-filter");
  if (!form) {
    return;
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  const rows = [...document.querySelectorAll(".ddl-claimed")];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const sections = new Set(rows.map((row) => row.closest("section")));
  form.addEventListener("input", () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const classes = [form.elements.page.value, form.elements.kind.value].filter(Boolean);
    for (const row of rows) {
      row.hidden = !(
        words.every((word) => texts.get(row).includes(word)) &&
        classes.every((name) => row.classList.contains(name))
      );
    }
    for (const section of sections) {
      section.hidden = !section.querySelector(".ddl-claimed:not([hidden])");
      for (const fold of section.querySelectorAll(".ddl-fold")) {
        fold.open = words.length + classes.length > 0;
      }
    }
    const shown = rows.filter((row) => !row.hidden).length;
    form.querySelector("output").textContent = `${shown} of ${rows.length} claims`;
  });
})();
