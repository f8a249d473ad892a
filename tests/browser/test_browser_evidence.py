"""The pages of evidence: counted, filtered, folded, and linked row by row."""

import pytest
from playwright.sync_api import Page, expect

from tools import lectures, pages
from tools.sphinx_book import claims

CLAIMS = {slug: claims(slug) for slug in pages.slugs()}


def shown(page: Page) -> int:
    return page.locator(".ddl-claimed").filter(visible=True).count()


def test_the_ledger_counts_all_claims_and_those_of_a_page(visit) -> None:
    page = visit().open("ledger")
    rows = page.locator(".ddl-totals tr").all()
    table = [row.locator("th, td").all_inner_texts() for row in rows]
    head, everything, *each = table
    assert head[:3] == ["Page", "Claims", "Hold"]
    assert everything[:2] == ["All pages", str(sum(map(len, CLAIMS.values())))]
    assert [(row[0], row[1]) for row in each] == [
        (pages.short_title(slug), str(len(found))) for slug, found in CLAIMS.items()
    ]
    for column in range(1, len(head)):
        assert sum(int(row[column]) for row in each) == int(everything[column]), head[column]
    page.get_by_role("cell", name="Gates").get_by_role("link").click()
    expect(page.locator("#of-gating > h2")).to_be_in_viewport()


def test_a_folded_ledger_is_short_on_a_phone(visit) -> None:
    page = visit("phone").open("ledger")
    assert page.evaluate("document.documentElement.scrollHeight") < 6000
    fold = page.locator("#of-gating > details")
    assert shown(page) == page.locator("#withdrawn .ddl-claimed").count()
    fold.locator("summary").tap()
    assert shown(page) > len(CLAIMS["gating"])


def test_the_ledger_is_filtered_by_page_kind_and_words(visit) -> None:
    page = visit().open("ledger")
    form, every = page.locator(".ddl-filter"), page.locator(".ddl-claimed").count()
    form.get_by_label("Kind").select_option("exact")
    exact = shown(page)
    assert 0 < exact < every
    expect(page.locator(".ddl-filter output")).to_have_text(f"{exact} of {every} claims")
    expect(page.locator("#withdrawn")).to_be_hidden()
    form.get_by_label("Page").select_option("Gates")
    of_gating = page.locator("#of-gating .ddl-exact").count()
    assert shown(page) == of_gating < exact
    expect(page.locator("#of-attention")).to_be_hidden()
    form.get_by_label("Words").fill("LSTM cell")
    assert 0 < shown(page) < of_gating
    for row in page.locator(".ddl-claimed").filter(visible=True).all_inner_texts():
        assert "lstm" in row.lower()
        assert "cell" in row.lower()
    form.get_by_label("Words").fill("no claim says this")
    assert shown(page) == 0
    form.get_by_label("Words").fill("")
    form.get_by_label("Page").select_option("all")
    form.get_by_label("Kind").select_option("withdrawn")
    assert shown(page) == page.locator("#withdrawn .ddl-claimed").count() > 0
    form.get_by_label("Kind").select_option("all")
    expect(page.locator("#of-gating table")).to_be_hidden()  # folded, as at first


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(
    ("name", "inside"), [("ledger", "#of-gating .ddl-claimed"), ("reference", "dt#ddl\\.vae\\.VAE")]
)
def test_a_link_opens_what_it_leads_into(
    browser, address: str, name: str, inside: str, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{address}{name}.html")
    target = page.locator(inside).last.get_attribute("id")
    page.goto(f"{address}{name}.html#{target}")
    expect(page.locator(f"[id='{target}']")).to_be_in_viewport()
    expect(page.locator(".ddl-fold[open]")).to_have_count(1)
    context.close()


def test_without_scripts_there_is_no_filter_but_every_claim(browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}ledger.html")
    expect(page.locator(".ddl-filter")).to_be_hidden()
    page.locator("#of-vae summary").click()
    expect(page.locator("#of-vae .ddl-claimed").last).to_be_visible()
    context.close()


def test_print_opens_the_ledger(visit) -> None:
    page = visit().open("ledger")
    page.emulate_media(media="print")
    expect(page.locator("#of-gating .ddl-claimed").last).to_be_visible()
    expect(page.locator(".ddl-filter")).to_be_hidden()


@pytest.mark.parametrize("view", ["desktop", "phone"])
def test_rows_of_map_and_errata_have_addresses(visit, view: str) -> None:
    page = visit(view).open("lecture_map")
    assert page.locator("tr[id]").evaluate_all("rows => rows.map((row) => row.id)") == [
        f"row-{row.number}" for row in lectures.rows()
    ]
    page.locator("#row-9 .ddl-here").click()
    assert page.url.endswith("#row-9")
    page = visit(view).open("errata")
    corrections = [row.number for row in lectures.rows() for _ in row.corrections]
    names = page.locator("tr[id]").evaluate_all("rows => rows.map((row) => row.id)")
    assert [int(name.split("-")[1]) for name in names] == corrections
    assert len(set(names)) == len(names)
    here = page.locator("tr[id] .ddl-here").evaluate_all("links => links.map((link) => link.hash)")
    assert here == [f"#{name}" for name in names]
    page.locator(f"#{names[0]}").get_by_role("link", name=f"row {corrections[0]}").click()
    page.wait_for_url(f"**/lecture_map.html#row-{corrections[0]}")


def test_a_benchmark_says_what_is_better(visit) -> None:
    page = visit().open("benchmarks")
    for row in page.locator(".ddl-ledger tbody tr").all():
        _, ours, _, better, *_ = row.locator("td").all_inner_texts()
        assert better.strip() == ("more" if "items/s" in ours else "less")


def test_a_published_figure_is_never_beside_a_smaller_run_without_a_word(visit) -> None:
    page = visit().open("full_size")
    beside = 0
    for table in page.locator("table.ddl-ledger").all():
        head = table.locator("thead th").all_inner_texts()
        if head[-1] != "Published":
            continue
        for row in table.locator("tbody tr").all():
            cells = row.locator("td").all_inner_texts()
            if cells[-1].strip() and cells[head.index("cpu size")].strip() != "not run":
                beside += 1
                assert "not comparable: cpu size is" in cells[-1]
                assert "steps" in cells[-1]
    assert beside > 5
