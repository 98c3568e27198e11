"""The page in use: keyboard, tokens, a service that goes away, and charts that show what the service says."""

from __future__ import annotations

import pytest
from browsing import visit

pytestmark = pytest.mark.browser
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
