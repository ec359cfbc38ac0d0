"""The console in a browser: somebody new comes in, pushes the example, takes the road from a question to a
model in use, sees the curve move, follows advice, and tries the model. Each page on the way is judged by
axe-core in light and dark, fits a phone, and has nothing from another host; with SCREENS in the environment it
is photographed into that folder."""

import json
import os
import re

from playwright.sync_api import expect, sync_playwright

from judging import DESKTOP, PATIENT, SCREENS, chromium, judge

URL, TOKEN = os.environ["URL"], os.environ["TOKEN"]
EPOCHS = 200

trouble = []


def points(page):
    line = page.locator("#curves polyline").first.get_attribute("points")
    return len(line.split())


with sync_playwright() as playwright:
    browser = chromium(playwright)
    page = browser.new_page(viewport=DESKTOP)
    page.set_default_timeout(30_000)
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: trouble.append(request.url)
            if not request.url.startswith((URL, "data:", "about:")) else None)

    page.goto(URL)
    judge(page, "front")
    page.get_by_role("link", name="I have an invitation").click()
    page.get_by_label("Invitation", exact=True).fill(TOKEN)
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Password").fill("correct horse battery staple")
    judge(page, "invitation")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("heading", name="From data to an answer")).to_be_visible()
    judge(page, "start")

    # by the keyboard alone: the skip link is first, and what has the focus is seen
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("button", name="Push the example").focus()
    page.keyboard.press("Enter")
    # the page redraws itself when a worker has made the profile
    expect(page.get_by_role("heading", name="Balance of diagnosis")).to_be_visible(timeout=PATIENT)
    judge(page, "dataset")

    # the road: a question, data, what fits and why
    expect(page.get_by_role("heading", name="What could I train?")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="New training").click()
    judge(page, "question")
    page.get_by_role("link", name="Which kind is it?").click()
    judge(page, "data")
    page.get_by_role("link", name="breast-cancer").click()
    expect(page.get_by_label("What do you want to predict?")).to_have_value("diagnosis")
    expect(page.get_by_text("Takes about").first).to_be_visible()
    judge(page, "fits")
    page.get_by_text("Choose everything myself").click()
    page.get_by_text("More choices").click()
    expect(page.get_by_label("Epochs")).to_be_visible()
    judge(page, "training")
    page.locator("li.card").filter(has_text="dense network").get_by_role("button", name="Look at it first").click()
    expect(page.get_by_text("It is valid, and would be taken.")).to_be_visible()
    judge(page, "specification")
    spec = page.locator("#spec")
    # what is wrong is told as one writes
    spec.fill(json.dumps(json.loads(spec.input_value()) | {"epochs": 0}))
    expect(page.locator("#verdict [role=alert]")).to_contain_text("epochs")
    spec.fill(json.dumps(json.loads(spec.input_value()) | {"epochs": EPOCHS}))
    expect(page.get_by_text("It is valid, and would be taken.")).to_be_visible()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("It is valid, and would be taken.")).to_be_visible()
    page.get_by_role("button", name="Train", exact=True).click()

    expect(page.locator("#curves polyline").first).to_be_attached(timeout=PATIENT)
    before = points(page)
    page.wait_for_function(
        "before => document.querySelector('#curves polyline').getAttribute('points').split(' ').length > before",
        arg=before, timeout=PATIENT)
    print(f"the curve has moved from {before} to {points(page)} points")
    if SCREENS:
        judge(page, "job-running")
    expect(page.locator("#head .badge")).to_have_text("succeeded", timeout=PATIENT)
    expect(page.get_by_role("heading", name="What its figures say")).to_be_visible()
    judge(page, "job")
    # the best epoch of so many was not kept, which is seen, and the change is made in the specification
    page.get_by_role("button", name="Open the changed specification").first.click()
    expect(page.locator("#spec")).to_have_value(re.compile("early_stopping"))
    expect(page.get_by_text("It is valid, and would be taken.")).to_be_visible()
    page.go_back()

    page.locator("#state").get_by_role("link", name="version 1").click()
    judge(page, "model")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer")).to_contain_text("It says")
    expect(page.locator("#answer svg").first).to_be_visible()
    judge(page, "prediction")
    page.get_by_label("Name of the endpoint").fill("tumours")
    page.get_by_role("button", name="Put it to use").click()
    expect(page.get_by_role("heading", name="tumours")).to_be_visible()
    judge(page, "endpoint")

    # shown to everybody
    page.goto(URL + "/console/models/acme/breast-cancer")
    page.get_by_text("What others see and read of it").click()
    page.get_by_label("Description").fill("Tumours, benign or malignant")
    page.get_by_label("Who sees it").select_option("public")
    page.get_by_label("Licence").fill("mit")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".head .badge").first).to_have_text("public")

    for name in ["Overview", "Datasets", "Jobs", "Models", "Endpoints", "Discover", "Usage", "API keys", "People", "Audit log"]:
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        judge(page, name.lower().replace(" ", "-"))

    page.get_by_role("navigation").get_by_role("link", name="Datasets", exact=True).click()
    page.get_by_label("File").set_input_files(
        files=[{"name": "My Prices.csv", "mimeType": "text/csv", "buffer": b"rooms,price\n" + b"2,100\n3,150\n" * 20}])
    expect(page.get_by_label("Name")).to_have_value("my-prices")
    page.get_by_role("button", name="Push", exact=True).click()
    page.wait_for_url(re.compile(r"/console/datasets/my-prices\?version=1$"))

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="The furnace that a whole street shares")).to_be_visible()

    # a visitor finds a public model: by words and filters, and looks at it; to try it asks to sign in
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_role("link", name="Public models").click()
    page.get_by_label("Words").fill("tumour")
    page.get_by_text("More filters").click()
    page.get_by_label("What they read").select_option("table")
    page.get_by_label("A figure").fill("val_accuracy")
    page.get_by_label("at least").fill("0.8")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="acme/breast-cancer")).to_be_visible()
    judge(page, "registry")
    page.get_by_role("link", name="acme/breast-cancer").click()
    expect(page.get_by_text("Which class it takes for which")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Found, by false alarms"))).to_be_visible()
    expect(page.get_by_role("heading", name="Lineage")).to_be_visible()
    judge(page, "visitor")
    page.get_by_role("link", name="Sign in to try it").click()
    page.get_by_label("E-mail address").fill("ada@acme.example")
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Predict")).to_be_visible()
    print("a visitor has found a public model")
    browser.close()

assert not trouble, trouble
