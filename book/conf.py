"""For `sphinx-build -b html book OUT`: Sphinx's settings, as Jupyter Book makes them."""

from pathlib import Path

from jupyter_book.config import get_final_config

BOOK = Path(__file__).resolve().parent
settings, _ = get_final_config(
    user_yaml=BOOK.parent / "_config.yml",
    sourcedir=BOOK,
    cli_config={
        "external_toc_path": str(BOOK.parent / "_toc.yml"),
        "latex_individualpages": False,
    },
)
globals().update(settings)
