"""An upload in a browser over a network that breaks: what has come is not sent again, neither when the line is cut nor
when the page was left in the middle, and the file ends whole."""

import hashlib
import os
import re
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from judging import judge, newcomer

URL = os.environ["URL"]
PIECE = 8 * 2**20
SIZE = 3 * PIECE + 1000

row = b"%d,%d\n"
content = b"n,m\n" + b"".join(row % (n, n % 97) for n in range(SIZE // 10))
content = (content + b"1,1\n" * (SIZE // 4))[: SIZE - SIZE % 4]
file = Path(os.environ["HOME"]) / "Many Rows.csv"
file.write_bytes(content)


def offsets(sent):
    return [int(request.headers["upload-offset"]) for request in sent if request.method == "PATCH"]


with sync_playwright() as playwright:
    page, trouble, join = newcomer(playwright, "Ada")
    sent = []
    page.on("request", lambda request: sent.append(request))
    join()
    expect(page.get_by_role("heading", name="From data to an answer")).to_be_visible()

    # the line is cut; from the third piece on nothing goes out at all, until the page is left
    page.route("**/console/uploads/*", lambda route: route.abort()
               if int(route.request.headers.get("upload-offset", 0)) >= 2 * PIECE else route.continue_())
    page.goto(URL + "/console/datasets")
    page.get_by_label("File").set_input_files(file)
    expect(page.get_by_label("Name")).to_have_value("many-rows")
    page.get_by_role("button", name="Push", exact=True).click()
    share = 100 * 2 * PIECE // len(content)
    expect(page.locator("[data-said]")).to_contain_text(f"The connection is lost. {share} % has come")
    before = offsets(sent)
    page.unroute("**/console/uploads/*")

    # another page: it says how far the file has got, and the same file goes on from there
    page.reload()
    expect(page.locator("#coming")).to_contain_text("Many Rows.csv")
    judge(page, "resume")
    page.get_by_label("File").set_input_files(file)
    expect(page.locator("[data-said]")).to_contain_text(f"{share} % of it has come already")
    sent.clear()
    page.get_by_role("button", name="Resume").click()
    page.wait_for_url(re.compile(r"/console/datasets/many-rows\?version=1$"))
    after = offsets(sent)
    assert before[0] == 0 and before == sorted(before) and set(before) == {0, PIECE, 2 * PIECE}, before
    assert after == [2 * PIECE, 3 * PIECE], after
    assert not trouble, trouble

print(f"pieces {before} and {after}")
print(f"sha256 {hashlib.sha256(content).hexdigest()}")
