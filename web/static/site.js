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

  // Escape puts the line over a term away, until the pointer or the focus moves on.
  const quiet = (now) => document.body.classList.toggle("ddl-quiet", now);
  addEventListener("keydown", (event) => event.key === "Escape" && quiet(true));
  for (const moved of ["mouseout", "focusout"]) addEventListener(moved, () => quiet(false));

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
