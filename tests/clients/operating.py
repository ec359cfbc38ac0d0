"""The console's pages for who runs the platform, in a browser: how full each worker is, while one is at work and
another is taken out of service; queue, shares, tenants. Each page is judged as a tenant's are."""

from playwright.sync_api import expect, sync_playwright

from judging import judge, newcomer

with sync_playwright() as playwright:
    page, trouble, join = newcomer(playwright, "Op")
    page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    join()

    # a training runs: its worker's cell says how full it is, in words and not by its shade alone
    expect(page.get_by_role("heading", name="Pools and workers")).to_be_visible()
    cells = page.locator("#heat li")
    busy = cells.filter(has_not_text="idle").first
    expect(busy).to_contain_text("%")
    expect(busy).to_have_class("heat-5")
    judge(page, "workers")
    page.get_by_role("button", name="Cordon").first.click()
    expect(cells.filter(has_text="cordoned")).to_have_count(1)
    judge(page, "workers-cordoned")
    print(f"{cells.count()} workers are shown")

    for name in ["Queue", "Fair share", "Tenants", "Featured models", "Operators", "System health", "Audit log"]:
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        judge(page, "operator-" + name.lower().replace(" ", "-"))
    page.get_by_role("navigation").get_by_role("link", name="Tenants", exact=True).click()
    page.get_by_role("link", name="acme").first.click()
    judge(page, "operator-tenant")
    assert not trouble, trouble
