"""The page in a real browser, against a server with the demo's data: `make test-browser`."""

from __future__ import annotations

import json
import urllib.request

import pytest
from browsing import server, visit

pytestmark = pytest.mark.browser
SECTIONS = ("overview", "curves", "map", "difficulty", "recommendations", "policies", "try", "api")
PROMPT = "Ben has 12 coins. Double it. Subtract 7. Triple it. How many now?"


def recommend(url: str, n: int, **known: str) -> None:
    prompts = [{"prompt": f"Start with {i}. Add 3. How many now?", **known} for i in range(n)]
    body = json.dumps({"prompts": prompts, "budget": {"max_generations": 4}}).encode()
    request = urllib.request.Request(f"{url}/v1/recommendations", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_shows_without_a_complaint(demo, page, section):
    visit(page, demo, section)
    assert page.locator("#tabs a[aria-current]").inner_text().lower() == section


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_section_is_wider_than_a_phone(demo, browser, scheme):
    context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=scheme)
    page = context.new_page()
    for section in SECTIONS:
        visit(page, demo, section)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, section
    context.close()


def test_the_chart_draws_what_is_chosen_and_the_table_says_it(demo, page):
    visit(page, demo, "curves")
    page.wait_for_selector(".uplot canvas")
    assert page.locator("td:has-text('lab-small majority_vote')").count() == 0
    page.get_by_label("lab-small majority_vote", exact=True).check()
    page.wait_for_selector("td:has-text('lab-small majority_vote')")


def test_the_map_has_a_row_for_every_bin(demo, page):
    visit(page, demo, "map")
    assert page.locator(".map tbody tr").count() == 6


def test_a_prompt_can_be_tried_by_keyboard_alone(demo, page):
    visit(page, demo, "try")
    page.focus("#prompt")
    page.keyboard.type(PROMPT)
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=expected accuracy")


def test_a_target_accuracy_can_be_tried_without_a_budget(demo, page):
    visit(page, demo, "try")
    page.fill("#prompt", PROMPT)
    page.get_by_label("of", exact=True).fill("")
    page.click("button.first")
    assert page.get_by_label("of", exact=True).evaluate("e => e.matches(':invalid')")
    page.get_by_label("Target accuracy").fill("0.9")
    page.click("button.first")
    page.wait_for_selector("text=the cheapest arm expected to reach 0.9")


def test_a_bin_that_nothing_speaks_for_is_unknown(demo, page):
    def flat(plan: dict) -> dict:
        return plan | {"difficulty": plan["difficulty"] | {"bin_probabilities": [0.2] * 5, "most_likely_bin": 1}}

    def changed(route) -> None:
        found = route.fetch()
        said = found.json()
        for one in said.get("outcomes", ()):
            one["recommendation"] = flat(one["recommendation"])
        route.fulfill(response=found, json=said if "outcomes" in said else flat(said))

    page.route("**/v1/recommendations*", changed)
    visit(page, demo, "try")
    page.fill("#prompt", PROMPT)
    page.click("button.first")
    page.wait_for_selector("dd:has-text('unknownposterior 0.20 0.20 0.20 0.20 0.20')")
    visit(page, demo, "recommendations")
    assert {*page.locator("td[data-label=bin]").all_inner_texts()} == {"\N{EN DASH}"}


def without_flops(page, **savings) -> list[str]:
    """Make the held-out report of the policy one in tokens; give the units of what is asked for from then on."""
    asked: list[str] = []

    def of_tokens(route) -> None:
        found = route.fetch()
        said = found.json()
        route.fulfill(response=found, json=said | {"report": said["report"] | {"unit": "tokens"}})

    def in_unit(route) -> None:
        asked.append(route.request.url.partition("unit=")[2])
        found = route.fetch()
        route.fulfill(response=found, json=found.json() | (savings if "savings" in route.request.url else {}))

    page.route("**/v1/policies/promoted", of_tokens)
    page.route("**/v1/savings*", in_unit)
    page.route("**/v1/curves*", in_unit)
    return asked


@pytest.mark.parametrize("section", ["overview", "curves", "map"])
def test_what_is_shown_first_is_in_a_unit_that_the_policy_knows(demo, page, section):
    asked = without_flops(page)
    visit(page, demo, section)
    assert {*asked} == {"tokens"}


@pytest.mark.parametrize(
    ("savings", "said"),
    [
        ({"n_plans": 0, "n": 0, "n_reached": 0, "times": None}, "no plan has been carried out yet"),
        ({"n": 0, "n_reached": 0, "times": None}, "what plans cost in tokens is not known"),
        ({"n": 69, "n_reached": 0, "times": None}, "best-of-N reaches the accuracy of none of 69 plans"),
        ({"n": 69, "n_reached": 60, "times": 2.04}, "tokens of best-of-N at equal accuracy, 60 of 69 plans"),
    ],
)
def test_where_nothing_is_saved_it_is_said_why(demo, page, savings, said):
    without_flops(page, unit="tokens", **savings)
    visit(page, demo, "overview")
    assert said in page.locator(".tile:has-text('saved so far')").inner_text()


def test_an_arm_is_named_as_the_command_line_names_it(demo, page):
    visit(page, demo, "curves")
    named = """async () => {
        const { label } = await import('/static/plan.js');
        const found = await (await fetch('/v1/curves')).json();
        return found.arms.map((arm, i) => [label(arm), found.labels[i]]);
    }"""
    labels = page.evaluate(named)
    assert {" attempts until ", "beam_search", "step_score=min"} <= {
        part for part in (" attempts until ", "beam_search", "step_score=min") for _, label in labels if part in label
    }
    assert [shown for shown, _ in labels] == [label for _, label in labels]
    assert len({label for _, label in labels}) == len(labels)


def test_a_budget_that_nothing_fits_is_told_in_words(demo, page):
    visit(page, demo, "try", tolerant=True)
    page.fill("#prompt", PROMPT)
    page.select_option("select >> nth=0", "max_tokens")
    page.fill("input[type=number] >> nth=0", "1")
    page.click("button.first")
    page.wait_for_selector("[role=alert]:has-text('least budget')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("alone", [True, False])
def test_the_api_s_reference_fits_a_phone_within_the_dashboard_and_alone(demo, browser, scheme, alone):
    context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text))
    if alone:
        page.goto(f"{demo}/docs")
    else:
        visit(page, demo, "overview")
        page.click("#tabs >> text=API")
    page.wait_for_selector(":is(h1, h2):has-text('HTTP API')")
    page.click("nav a[href='#post-v1-recommendations']")
    page.click("#post-v1-recommendations summary >> nth=0")
    assert page.locator("#post-v1-recommendations pre").first.is_visible()
    assert page.locator("#post-v1-recommendations .method").evaluate("e => getComputedStyle(e).borderTopWidth") == "1px"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert complaints == []
    context.close()


def test_a_prompt_that_is_a_script_stays_text(demo, page):
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    recommend(demo, 1, prompt_id=evil)
    visit(page, demo, "recommendations")
    page.locator("details summary").first.click()
    assert evil in page.locator("main").inner_text()
    assert "broken" not in page.title()


@pytest.mark.parametrize("section", ["recommendations", "curves"])
def test_a_long_table_shows_some_rows_first_and_more_by_keyboard(demo, page, section):
    recommend(demo, 45)
    visit(page, demo, section)
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody tr").count() == 20
    page.focus("main button")
    for n in (21, 41):
        page.keyboard.press("Enter")
        page.wait_for_selector(f"tbody tr:nth-child({n})")


def test_what_was_not_carried_out_does_not_look_like_a_failure(demo, page):
    recommend(demo, 1)
    visit(page, demo, "recommendations")
    assert page.locator("td[data-label=outcome] .quiet:has-text('no run logged')").count() > 0
    assert page.locator("td[data-label=outcome] .bad").count() == 0


def test_what_a_list_asked_for_in_vain_is_told(demo, page):
    visit(page, demo, "curves", tolerant=True)
    page.route("**/v1/curves*", lambda route: route.abort())
    page.select_option("select >> nth=1", "tokens")
    page.wait_for_selector("[role=alert]:has-text('does not answer')")


def test_a_promoted_policy_is_named_after_the_button(demo, page):
    visit(page, demo, "policies")
    assert page.locator("button:has-text('served')").is_disabled()


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"store": "StoreError", "policy": "0123"}, "the store does not answer"),
        ({"store": "SchemaOutdated", "policy": "0123"}, "schema is not that of this version"),
        ({"store": "ok", "policy": "NoActivePolicy"}, "no policy is served yet"),
        ({"store": "ok", "policy": "ArtifactCorrupt"}, "the policy cannot be read"),
    ],
)
def test_the_head_of_the_page_says_what_is_missing(demo, page, missing, told):
    body = json.dumps({"ready": False, **missing})
    page.route("**/readyz", lambda route: route.fulfill(status=503, content_type="application/json", body=body))
    visit(page, demo, "try", tolerant=True)
    page.wait_for_selector(f"#serving:has-text('{told}')")


def test_an_empty_store_says_what_to_do(browser, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    with server(tmp_path) as url:
        uncaught = []
        page.on("pageerror", lambda error: uncaught.append(str(error)))
        for section in ("overview", "curves", "map", "difficulty", "try"):
            visit(page, url, section, tolerant=True)
            assert "planner demo" in page.locator(".empty").inner_text(), section
            assert page.locator("#serving").inner_text() == "no policy is served yet"
        visit(page, url, "recommendations", tolerant=True)
        assert "Nothing has been recommended yet" in page.locator(".empty").inner_text()
        assert uncaught == []
    context.close()


def test_a_token_is_asked_for_and_kept_in_the_tab(browser, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    with server(tmp_path, PLANNER_SERVICE_TOKEN="secret") as url:
        page.goto(f"{url}/#recommendations")
        page.wait_for_selector("dialog[open] input")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=This token is not known.")
        page.keyboard.type("secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("main h2")
        assert page.evaluate("localStorage.length") == 0
        page.click("#tabs >> text=API")
        page.wait_for_selector("#post-v1-recommendations")
    context.close()
