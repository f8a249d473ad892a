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

  for (const place of document.querySelectorAll(".ddl-interactive")) {
    const name = place.dataset.interactive;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ddl-start";
    button.textContent = "Start the interactive figure";
    place.replaceChildren(button);
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.textContent = "Loading …";
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
        place.replaceChildren(stage);
        place.dataset.started = "true";
        stage.querySelector("input, button, select, [tabindex]")?.focus({ preventScroll: true });
      } catch (problem) {
        button.disabled = false;
        button.textContent = "Start the interactive figure";
        const note = document.createElement("p");
        note.setAttribute("role", "alert");
        note.textContent = problem.message;
        place.replaceChildren(button, note);
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
