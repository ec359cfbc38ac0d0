"""What must hold for every page of the console, whoever opens it; with SCREENS in the environment it is photographed
into that folder."""

import os
import shutil

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

SCREENS = os.environ.get("SCREENS")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PATIENT = 120_000

axe = Axe()


def chromium(playwright):
    """The browser of the machine."""
    path = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])))
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])


def newcomer(playwright, name):
    """Somebody who joins by the invitation in URL and TOKEN, on a machine that may be busy: their page, which goes on by
    `join`, and what goes wrong in it."""
    page = chromium(playwright).new_page(viewport=DESKTOP)
    page.set_default_timeout(PATIENT)
    expect.set_options(timeout=PATIENT)
    trouble = []
    page.on("pageerror", lambda error: trouble.append(str(error)))

    def join():
        page.goto(f"{os.environ['URL']}/console/invitation?token={os.environ['TOKEN']}")
        page.get_by_label("Your name").fill(name)
        page.get_by_label("Password").fill("correct horse battery staple")
        page.get_by_role("button", name="Join").click()

    return page, trouble, join


def violations(page):
    found = axe.run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node.get('failureSummary', '')}" for one in found
            if one["impact"] in ("serious", "critical") for node in one["nodes"]]


def judge(page, name):
    """At every width and in both colours."""
    expect(page.locator("h1")).to_have_count(1)
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        found = violations(page)
        assert not found, f"{name}, {scheme}: " + "\n".join(found)
    page.emulate_media(color_scheme="light")
    for size, what in [(PHONE, "phone"), (DESKTOP, "desktop")]:
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} is {width} wide on a {what}"
        if SCREENS:
            page.screenshot(path=f"{SCREENS}/{name}-{what}.png")
