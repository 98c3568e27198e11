"""The page in use: keyboard, tokens, a service that goes away, and charts that show what the service says."""

from __future__ import annotations

import json

import pytest
from browsing import server, visit

pytestmark = pytest.mark.browser
CURVES = """async ([arms, points]) => {
    const { byFamily } = await import('/static/families.js');
    const labels = arms.map((_, i) => `arm ${i}`);
    const own = ([arm, cost, accuracy]) => ({ arm, bin: 0, cost, accuracy, accuracy_low: 0, accuracy_high: 1 });
    const found = byFamily({ arms, labels, points: points.map(own) }, 0);
    return [...found].map(([name, points]) => [name, points.map((p) => [p.x, p.y])]);
}"""
DRAWN = """async (series) => {
    const { lines, colour } = await import('/static/charts.js');
    const place = document.createElement('div');
    document.body.append(place);
    const made = lines(place, series, { x: 'cost', y: 'accuracy' });
    await new Promise((done) => setTimeout(done, 300));
    const { width, height } = made.ctx.canvas;
    const data = made.ctx.getImageData(0, 0, width, height).data;
    const wanted = colour(0).match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
    const is = (at) => wanted.every((c, i) => Math.abs(data[at + i] - c) < 8);
    const count = (n) => [...Array(n).keys()];
    const rows = count(height).filter((y) => count(width).some((x) => is(4 * (y * width + x))));
    return { ticks: made.axes[1]._values, tall: rows.length, height };
}"""


def arm(**known) -> dict:
    plain = {"generator": "g", "verifier": None, "search": "sampling", "selection": "majority_vote"}
    return plain | {"breadth": 2, "depth": 1, "params": {}} | known


def test_arms_of_other_settings_or_verifiers_are_lines_of_their_own(demo, page):
    visit(page, demo, "try")
    arms = [arm(params={"temperature": 0.2}), arm(params={"temperature": 0.9}), arm(breadth=4), arm(breadth=1)]
    lines = dict(page.evaluate(CURVES, [arms, [[0, 2, 0.9], [1, 2, 0.5], [2, 4, 0.7], [3, 1, 0.4]]]))
    assert lines == {
        "g majority_vote (temperature=0.2)": [[2, 0.9]],
        "g majority_vote (temperature=0.9)": [[2, 0.5]],
        "g majority_vote": [[4, 0.7]],
        "g, one sample": [[1, 0.4]],
    }
    arms = [arm(selection="best_of_n", verifier=name) for name in ("a", "b")] + [arm()]
    lines = dict(page.evaluate(CURVES, [arms, [[0, 2, 0.9], [1, 2, 0.5], [2, 2, 0.4]]]))
    assert {*lines} == {"g best_of_n, scored by a", "g best_of_n, scored by b", "g majority_vote"}


def test_a_runner_up_that_differs_in_its_verifier_alone_is_told_by_it(demo, page):
    judged = arm(selection="best_of_n", breadth=4, verifier="first")

    def changed(route) -> None:
        found = route.fetch()
        plan = found.json()
        other = {**plan["alternatives"][0], "arm": judged | {"verifier": "second"}}
        route.fulfill(response=found, json=plan | {"arm": judged, "alternatives": [other]})

    page.route("**/v1/recommendations", changed)
    visit(page, demo, "try")
    page.fill("#prompt", "Start with 3. Add 4. How many now?")
    page.click("button.first")
    page.wait_for_selector("p:has-text('scored by first')")
    assert page.locator("tbody td").first.inner_text() == "g best_of_n 4, scored by second"


def test_a_vote_that_falls_is_drawn_falling_and_a_search_by_its_best_at_each_cost(demo, page):
    visit(page, demo, "try")
    votes = [arm(breadth=n) for n in (2, 4, 8)]
    searches = [arm(search="mcts", selection=name) for name in ("best_of_n", "first")]
    points = [[0, 2, 0.6], [1, 4, 0.5], [2, 8, 0.4], [3, 4, 0.7], [4, 4, 0.8]]
    lines = dict(page.evaluate(CURVES, [votes + searches, points]))
    assert lines == {"g majority_vote": [[2, 0.6], [4, 0.5], [8, 0.4]], "g mcts": [[4, 0.8]]}


@pytest.mark.parametrize("spread", [0.001, 0.004, 0.01, 0.1, 0.5])
def test_no_two_ticks_of_accuracy_read_alike_and_a_single_point_has_its_interval(demo, page, spread):
    visit(page, demo, "try")
    point = {"x": 3, "y": 0.5, "low": 0.5 - spread / 2, "high": 0.5 + spread / 2}
    found = page.evaluate(DRAWN, [{"name": "one", "points": [point]}])
    assert len({*found["ticks"]}) == len(found["ticks"])
    assert found["tall"] > 0.6 * found["height"] * spread / (spread + 0.04)


def test_lines_of_a_crowd_are_told_apart(demo, page):
    visit(page, demo, "curves")
    page.wait_for_selector(".uplot canvas")
    for box in page.locator("fieldset input").all()[:14]:
        box.check()
    drawn = page.locator(".legend line").evaluate_all(
        "all => all.map((one) => [one.getAttribute('stroke'), one.getAttribute('stroke-dasharray')].join())"
    )
    assert len(drawn) >= 14
    assert len({*drawn}) == len(drawn)


def test_a_chart_is_in_the_unit_of_its_points_where_another_could_not_be_had(demo, page):
    visit(page, demo, "curves", tolerant=True)
    page.route("**/v1/curves*", lambda route: route.abort())
    page.select_option("select >> nth=1", "tokens")
    page.wait_for_selector("[role=alert]:has-text('does not answer')")
    page.select_option("select >> nth=0", "1")
    page.wait_for_selector("tbody tr")
    assert page.locator("thead th").last.inner_text() == "FLOPs"


def test_charts_of_difficulty_have_axes_that_a_phone_shows_and_intervals(demo, browser):
    context = browser.new_context(viewport={"width": 360, "height": 700})
    page = context.new_page()
    visit(page, demo, "difficulty")
    drawn = page.locator("svg[aria-label^='Share of prompts']")
    assert {"believed pass rate", "share of prompts", "0 %", "0", "1"} <= {*drawn.locator("text").all_text_contents()}
    heights = drawn.locator("text").evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
    assert min(heights) >= 9
    production = page.locator("svg[aria-label^='Forecast against realised']")
    assert production.locator("circle").count() == production.locator("line[stroke-width='2']").count() > 0
    page.click("#tabs >> text=Map")
    box = page.locator("text=the colour is the expected accuracy").bounding_box()
    assert box["x"] + box["width"] <= 360
    context.close()


def test_an_open_report_and_the_keyboard_stay_where_they_are_while_a_fit_runs(demo, page):
    polls = []

    def running(route) -> None:
        polls.append(1)
        fit = {"fit_id": "f", "status": "running", "stage": "reading the logs", "share": 0.1 * len(polls)}
        route.fulfill(content_type="application/json", body=json.dumps({"fits": [fit]}))

    page.route("**/v1/fits", running)
    visit(page, demo, "policies")
    page.focus("article summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("article table")
    page.wait_for_selector("text=reading the logs, 30 %")
    assert page.locator("article details[open]").count() == 1
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.focus("text=Fit anew from the logs")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=reading the logs, 50 %")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    assert page.locator("main [role=status]").inner_text() == ""


def test_a_token_need_not_be_given_and_one_of_another_role_can_be(browser, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    with server(tmp_path, PLANNER_SERVICE_TOKEN="all", PLANNER_SERVICE_READ_TOKEN="some") as url:
        page.goto(f"{url}/#policies")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("Escape")
        page.wait_for_selector("[role=alert]:has-text('a bearer token is needed')")
        assert page.locator("dialog[open]").count() == 0
        page.reload()
        page.wait_for_selector("dialog[open]")
        page.keyboard.type("some")
        page.keyboard.press("Enter")
        page.click("text=Fit anew from the logs")
        page.wait_for_selector("dialog[open] >> text=this takes a token of the role admin")
        page.click("text=Not now")
        page.wait_for_selector("[role=status]:has-text('this takes a token of the role admin')")
        page.click("text=Fit anew from the logs")
        page.wait_for_selector("dialog[open]")
        page.keyboard.type("all")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]:has-text('The fit has begun.')")
    context.close()


def test_a_token_that_cannot_be_sent_is_not_taken_for_a_service_that_does_not_answer(browser, tmp_path):
    context = browser.new_context()
    page = context.new_page()
    with server(tmp_path, PLANNER_SERVICE_TOKEN="secret") as url:
        page.goto(f"{url}/#recommendations")
        page.wait_for_selector("dialog[open]")
        page.fill("#token", "sec\N{ZERO WIDTH SPACE}ret")
        page.keyboard.press("Enter")
        assert page.locator("#token:invalid").count() == 1
        page.fill("#token", " secret ")
        page.keyboard.press("Enter")
        page.wait_for_selector("main .empty")
    context.close()


def test_what_a_service_that_was_away_could_not_show_is_shown_when_it_is_back(demo, page):
    page.clock.install()
    page.route("**/v1/curves*", lambda route: route.abort())
    visit(page, demo, "map", tolerant=True)
    page.wait_for_selector("[role=alert]:has-text('does not answer')")
    page.unroute("**/v1/curves*")
    page.clock.fast_forward(16_000)
    page.wait_for_selector(".map tbody tr")
