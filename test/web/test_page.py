"""The page of bird-web in a headless Chromium, with a gateway that is made up (fake_gateway.py).

Needs the packages chromium, chromium-driver and python3-selenium, and skips itself without. With SHOTS=DIR in the
environment it leaves pictures there; the figures it measures are printed (pytest -s).
"""
import os
import shutil
import threading
import time

import pytest

from fake_gateway import PAGE, Gateway, many_ids

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    pytest.skip("chromium or chromedriver is not installed", allow_module_level=True)

LIMIT = 15  # seconds, for whatever has to happen
MANY = 10000
PEER = "10.0.0.1"  # of the first of many_ids()
ID = "10.0.0.1%eth0"

# Row by row, in the order of the page: class of the cell -> text; only those the operator can see.
ROWS = """
  const box = document.getElementById("scroll").getBoundingClientRect();
  return [...document.querySelectorAll("#space .row")].filter(row =>
  {
    const r = row.getBoundingClientRect();
    return row.checkVisibility({ visibilityProperty: true }) && r.bottom > box.top + 1 && r.top < box.bottom - 1;
  }).map(row => Object.fromEntries([...row.children].map(cell => [cell.className, cell.textContent])));
"""
CONTRASTS = """
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const found = [];
  for (const e of document.querySelectorAll("body *"))
    if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && !e.closest("script"))
    {
      const [a, b] = [light(parse(getComputedStyle(e).color)), light(back(e))].sort((x, y) => y - x);
      found.push([(a + 0.05) / (b + 0.05), e.className || e.id || e.tagName, e.textContent]);
    }
  return found.sort((x, y) => x[0] - y[0]);
"""
FIRST_ROW = """
  (function look() {
    const cell = document.querySelector("#space .row .peer");
    requestAnimationFrame(cell && cell.textContent ? () => { window.firstRowMs = performance.now(); } : look);
  })();
"""
# The longest time without a frame, and how many there were.
FRAMES = """
  window.frames_ = { longest: 0, count: 0, last: performance.now() };
  requestAnimationFrame(function next() {
    const now = performance.now(), f = window.frames_;
    f.longest = Math.max(f.longest, now - f.last);
    f.last = now;
    f.count++;
    requestAnimationFrame(next);
  });
"""
SEEN = """
  const [peer, word] = arguments;
  window.seenMs = 0;
  requestAnimationFrame(function look() {
    for (const row of document.querySelectorAll("#space .row"))
      if (row.querySelector(".peer").textContent === peer && row.querySelector(".state").textContent.includes(word))
        return requestAnimationFrame(() => { window.seenMs = Date.now(); });
    requestAnimationFrame(look);
  });
"""


class Page:
    """A tab with the page, and a gateway behind it."""

    def __init__(self, driver, gateway):
        self.driver, self.gateway = driver, gateway
        self.sessions = gateway.sessions
        self.breaks = False  # does the test break connections?

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def cdp(self, method, **args):
        return self.driver.execute_cdp_cmd(method, args)

    def open(self):
        self.driver.get(self.gateway.url)
        self.wait(lambda: self.status() == "Live")

    def wait(self, condition, limit=LIMIT):
        end = time.monotonic() + limit
        while not (value := condition()):
            assert time.monotonic() < end, f"not in time; status {self.status()!r}, rows {self.rows()[:3]}"
            time.sleep(0.02)
        return value

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def status(self):
        return self.text("#status")

    def rows(self):
        return self.js(ROWS)

    def row(self, peer):
        return next((row for row in self.rows() if row["peer"] == peer), None)

    def column(self, name):
        return [row[name] for row in self.rows()]

    def count(self, state):
        return int(self.text(f"#states button[value='{state}'] b"))

    def filter(self, text):
        self.js("const f = document.getElementById('filter'); f.value = arguments[0];"
                "f.dispatchEvent(new Event('input'))", text)

    def click(self, selector):
        self.js("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys):
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def open_panel(self, peer):
        self.wait(lambda: self.row(peer))
        self.js("[...document.querySelectorAll('#space .row')].find(row =>"
                "row.querySelector('.peer').textContent === arguments[0]).click()", peer)
        self.wait(lambda: "detection time" in self.text("#details"))

    def asked(self, path):
        return [ids for asked, ids in self.gateway.asked if asked == path]

    def shot(self, name):
        if "SHOTS" in os.environ:
            os.makedirs(os.environ["SHOTS"], exist_ok=True)
            self.driver.save_screenshot(os.path.join(os.environ["SHOTS"], name + ".png"))


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,800", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(DRIVER)
    driver = webdriver.Chrome(service=service, options=options)
    yield driver
    driver.quit()


@pytest.fixture
def page(driver):
    """Fails if anything was written to the console, but for connections refused where a test breaks them."""
    gateway = Gateway()
    gateway.start()
    driver.get_log("browser")
    page = Page(driver, gateway)
    page.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    yield page
    log = driver.get_log("browser")
    page.cdp("Emulation.clearDeviceMetricsOverride")
    driver.get("about:blank")
    gateway.stop()
    if page.breaks:
        log = [entry for entry in log if entry["source"] != "network"]
    assert log == []


@pytest.fixture
def few(page):
    """Eight sessions, of which one has expired and one is down."""
    for session in many_ids(8):
        page.sessions.put(session)
    page.sessions.put("10.0.0.3%eth2", "expired")
    page.sessions.put("10.0.0.4%eth3", "down", verdict="link lost")
    page.sessions.put_protocol("bfd1", "up")
    page.open()
    page.wait(lambda: len(page.rows()) == 8)
    return page


@pytest.fixture
def many(page):
    for session in many_ids(MANY):
        page.sessions.put(session)
    return page


def test_the_page_is_one_small_file():
    with open(PAGE, encoding="utf-8") as page:
        text = page.read()
    assert len(text.encode()) < 40000
    for foreign in ("https:", "@import", "<script src", "<link rel=\"stylesheet", "innerHTML", "eval("):
        assert foreign not in text


def test_the_worst_is_on_top_and_told_without_colour(few):
    assert [text.split()[1] for text in few.column("state")] == ["expired", "down"] + 6 * ["up"]
    assert len({text.split()[0] for text in few.column("state")}) == 3
    assert few.column("verdict")[:3] == ["peer silent", "link lost", ""]
    assert [few.count(state) for state in ("", "expired", "down", "created", "up")] == [8, 1, 1, 0, 6]
    assert few.driver.title.startswith("2 down")
    few.wait(lambda: few.row(PEER)["clients"])
    few.shot("light")


def test_a_row_says_who_asked_and_how_fast(few):
    row = few.wait(lambda: (row := few.row("10.0.0.8")) and row["clients"] and row)
    assert row["where"] == "local 192.0.2.1"
    assert " ms / " in row["timers"]
    assert few.js("return document.querySelector('#space .gaps path:last-child').getAttribute('d').length") > 50


def test_changes_are_seen_as_they_happen(few):
    few.sessions.put(ID, "expired")
    few.wait(lambda: "expired" in few.row(PEER)["state"])
    assert few.row(PEER)["verdict"] == "peer silent"
    few.wait(lambda: few.count("expired") == 2)
    few.sessions.put("203.0.113.9%eth9", "created")
    few.wait(lambda: few.row("203.0.113.9"))
    few.sessions.put("203.0.113.9%eth9", "destroyed")
    few.wait(lambda: not few.row("203.0.113.9") and few.count("") == 8)


def test_the_time_since_the_change_ticks(few):
    few.sessions.put(ID, "down", wall_us=time.time_ns() // 1000 - 3_700_000_000)
    few.wait(lambda: few.row(PEER)["since"] == "1 h 1 min")
    few.sessions.put(ID, "up")
    few.wait(lambda: few.row(PEER)["since"] in ("0 s", "1 s"))
    few.wait(lambda: few.row(PEER)["since"] == "3 s")


def test_states_filter(few):
    few.click("#states button[value=expired]")
    few.wait(lambda: len(few.rows()) == 1)
    few.click("#states button[value=down]")
    few.wait(lambda: few.column("peer") == ["10.0.0.3", "10.0.0.4"])
    assert few.text("#shown") == "2 of 8 sessions"
    few.sessions.put("10.0.0.3%eth2", "up")
    few.wait(lambda: few.column("peer") == ["10.0.0.4"])
    few.click("#states button[value='']")
    few.wait(lambda: len(few.rows()) == 8)


@pytest.mark.parametrize("text, peers", [
    ("10.0.0.3", {"10.0.0.3"}), ("ETH3", {"10.0.0.4"}), ("link lost", {"10.0.0.4"}), ("192.0.2.1", {"10.0.0.8"}),
    ("silent eth2", {"10.0.0.3"}), ("no such", set())])
def test_words_filter(few, text, peers):
    few.filter(text)
    few.wait(lambda: set(few.column("peer")) == peers)


def test_clients_filter(few):
    few.wait(lambda: all(few.column("clients")))
    client = few.column("clients")[0]
    same = {row["peer"] for row in few.rows() if row["clients"] == client}
    few.filter(client)
    few.wait(lambda: set(few.column("peer")) == same)


def test_columns_sort_as_numbers_and_addresses(few):
    few.sessions.put("9.0.0.1%eth10")
    few.click("[data-column=peer] button")
    few.wait(lambda: few.column("peer")[0] == "9.0.0.1")
    assert few.column("peer")[-1] == "2001:db8::5"
    few.click("[data-column=peer] button")
    few.wait(lambda: few.column("peer")[0] == "2001:db8::5")
    few.click("[data-column=where] button")
    few.wait(lambda: few.column("where")[0] == "eth0")
    assert few.column("where").index("eth10") > few.column("where").index("eth6")
    assert few.js("return document.querySelector('[data-column=where]').ariaSort") == "ascending"
    few.click("[data-column=verdict] button")
    few.wait(lambda: few.column("verdict")[:2] == ["link lost", "peer silent"])
    few.click("[data-column=verdict] button")
    few.wait(lambda: few.column("verdict")[:2] == ["peer silent", "link lost"])


def test_the_panel_has_all_that_show_tells(few):
    few.open_panel("10.0.0.3")
    few.wait(lambda: "peer silent" in few.text("#history"))
    details = few.text("#details")
    for text in ("requested by", "offloadwanted", "rx sequence4711", "packets123456", "min ttl255", "heldno"):
        assert text in details
    assert "under 16.38 ms90000" in few.text("#histogram")
    assert "longer5" in few.text("#histogram")
    assert "peer silent" in few.text("#summary")
    few.shot("panel")
    few.sessions.put("10.0.0.3%eth2", "up")
    few.wait(lambda: "up" in few.text("#history"))
    few.sessions.put("10.0.0.3%eth2", "destroyed")
    few.wait(lambda: "gone" in few.text("#summary"))
    few.click("#close")
    assert not few.js("return document.getElementById('panel').checkVisibility()")


def test_keys_do_what_the_mouse_does(few):
    keys = webdriver.common.keys.Keys
    few.js("document.getElementById('grid').focus()")
    few.press(keys.ARROW_DOWN, keys.ARROW_DOWN, keys.ENTER)
    few.wait(lambda: few.text("#title") == "10.0.0.4%eth3")
    assert few.js("return document.activeElement.id") == "panel"
    few.press(keys.ESCAPE)
    few.wait(lambda: few.js("return document.activeElement.id") == "grid")
    active = few.js("return document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
                    ".getAttribute('aria-rowindex')")
    assert active == "3"
    few.press(keys.END, keys.ENTER)
    few.wait(lambda: few.text("#title") != "10.0.0.4%eth3")


def test_roles_of_the_table(few):
    nodes = [node for node in few.cdp("Accessibility.getFullAXTree")["nodes"] if not node.get("ignored")]
    roles = [node["role"]["value"] for node in nodes]
    assert roles.count("grid") == 1 and roles.count("row") == 9 and roles.count("columnheader") == 8
    assert roles.count("gridcell") == 64
    assert few.js("return document.getElementById('status').ariaLive") == "polite"


def test_hostile_names_are_text(page):
    names = ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "a b+c&id=d#e%41%zz", "&lt;\u202eé\u0001",
             "__proto__", "eth0@if7"]
    for name in names:
        page.sessions.put(f"192.0.2.9%{name}", "down", verdict=f"<b>{name}")
    page.sessions.put("__proto__")
    page.sessions.put_protocol("<i>p</i>", "up")
    page.sessions.set_connected(True, "<u>")
    page.open()
    page.wait(lambda: len(page.rows()) == len(names) + 1)
    page.wait(lambda: all(page.column("clients")))
    assert set(names) <= set(page.column("where"))
    for i in range(len(names)):
        page.click(f"#row{i}")
        page.wait(lambda: "detection time" in page.text("#details"))
        page.wait(lambda: f"show{page.text('#title')}" in page.text("#details"))
    assert page.js("return document.querySelectorAll('main img, main script, b b, main b, i, u').length") == 0


def test_ten_thousand_sessions(many):
    script = many.cdp("Page.addScriptToEvaluateOnNewDocument", source=FIRST_ROW)
    many.open()
    many.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])
    first = many.wait(lambda: many.js("return window.firstRowMs"))
    assert many.count("") == MANY
    assert many.js("return document.querySelectorAll('#space .row').length") < 60

    delays = []
    for state in ("expired", "up") * 5:
        many.js(SEEN, PEER, state)
        begin = time.time()
        many.sessions.put(ID, state, wall_us=time.time_ns() // 1000 + 10**9)
        many.click("[data-column=since] button") if not delays else None
        delays.append(many.wait(lambda: many.js("return window.seenMs")) - begin * 1000)
    delays.sort()
    print(f"\n{MANY} sessions: first row after {first:.0f} ms; a change is painted after {delays[5]:.0f} ms "
          f"(median), {delays[-1]:.0f} ms (most)")
    many.shot("ten-thousand")
    assert first < 5000 and delays[-1] < 1000


def test_details_are_read_for_visible_rows_only(many):
    many.open()
    many.wait(lambda: all(many.column("clients")))
    many.js("document.getElementById('scroll').scrollTop = 1e9")
    many.wait(lambda: many.rows() and all(many.column("clients")))
    asked = many.asked("/api/details")
    assert len({i for ids in asked for i in ids}) < 150
    assert all(len(ids) <= 64 for ids in asked)
    many.js("const s = document.getElementById('scroll'); let n = 0; (function go() {"
            "s.scrollTop = 1000 * n; if (n++ < 60) requestAnimationFrame(go); })()")
    many.wait(lambda: many.js("return document.getElementById('scroll').scrollTop") == 60000)
    many.wait(lambda: all(many.column("clients")))
    assert len(many.asked("/api/details")) < len(asked) + 10
    before = len(many.asked("/api/details"))
    many.wait(lambda: len(many.asked("/api/details")) > before)


def test_all_details_are_read_on_demand(many):
    many.open()
    many.filter("rack-controller")
    many.wait(lambda: many.js("return document.getElementById('partial').checkVisibility()"))
    assert many.text("#partial span").endswith(f"of {MANY} sessions.")
    begin = time.monotonic()
    many.click("#partial button")
    many.wait(lambda: not many.js("return document.getElementById('partial').checkVisibility()"), 120)
    print(f"\ndetails of {MANY} sessions read in {time.monotonic() - begin:.1f} s")
    assert MANY / 4 < int(many.text("#shown").split()[0]) < MANY / 2


def test_storm(many):
    many.open()
    many.js(FRAMES)
    ids = list(many_ids(MANY))
    begin = time.monotonic()
    storm = threading.Thread(target=lambda: [many.sessions.put(session, "expired") for session in ids])
    storm.start()
    many.wait(lambda: many.count("expired") == MANY, 60)
    took = time.monotonic() - begin
    storm.join()
    frames = many.js("return window.frames_")
    print(f"\nstorm of {MANY} events: all in after {took:.1f} s, {frames['count']} frames meanwhile, the longest wait "
          f"for one {frames['longest']:.0f} ms")
    assert frames["longest"] < 1000
    assert many.count("up") == 0 and len(many.rows()) > 10


def test_gateway_lost_and_back(few):
    few.breaks = True
    few.gateway.stop()
    few.wait(lambda: few.status() == "No connection to the gateway", 2)
    few.wait(lambda: "lost 1 s ago" in few.text("#ago"))
    assert few.js("return document.body.className") == "stale"
    assert len(few.rows()) == 8
    few.shot("gateway-lost")
    few.sessions.put(ID, "expired")
    few.gateway.start()
    few.wait(lambda: few.status() == "Live")
    few.wait(lambda: "expired" in few.row(PEER)["state"])
    assert few.js("return document.body.className") == ""
    few.sessions.put(ID, "up")
    few.wait(lambda: "up" in few.row(PEER)["state"])


def test_gateway_that_starts_over_counts_anew(few):
    few.breaks = True
    few.gateway.stop()
    few.wait(lambda: few.status() == "No connection to the gateway")
    few.sessions.sequence = 0
    few.gateway.start()
    few.wait(lambda: few.status() == "Live")
    few.sessions.put(ID, "down")
    few.wait(lambda: "down" in few.row(PEER)["state"])


def test_streams_that_break_lose_nothing(few):
    few.breaks = True
    for state in ("expired", "up", "down"):
        few.sessions.drop_streams()
        few.sessions.put(ID, state, silent=True)
        few.wait(lambda: state in few.row(PEER)["state"])
    few.wait(lambda: few.status() == "Live")


def test_a_gateway_that_is_silent_is_noticed(few):
    few.breaks = True
    few.gateway.mute.clear()
    few.wait(lambda: few.status() == "No connection to the gateway")
    few.gateway.mute.set()
    few.wait(lambda: few.status() == "Live")


def test_daemon_lost_and_back(few):
    few.sessions.set_connected(False, "Connection refused")
    few.wait(lambda: few.status() == "The gateway is without the daemon (Connection refused)", 2)
    few.wait(lambda: "lost 1 s ago" in few.text("#ago"))
    assert few.js("return document.body.className") == "stale"
    few.shot("daemon-lost")
    few.sessions.put(ID, "expired", silent=True)
    few.sessions.set_connected(True)
    few.wait(lambda: few.status() == "Live")
    few.wait(lambda: "expired" in few.row(PEER)["state"])
    assert few.js("return document.body.className") == ""


def test_what_was_known_stays_while_the_daemon_is_lost(few):
    listed = few.sessions.by_id
    few.sessions.by_id = {}
    few.sessions.set_connected(False, "gone")
    few.sessions.say_lost()
    few.wait(lambda: len(few.asked("/api/sessions")) == 2)
    few.wait(lambda: "gone" in few.status())
    assert len(few.rows()) == 8
    few.sessions.by_id = listed
    few.sessions.set_connected(True)
    few.wait(lambda: few.status() == "Live")


def test_missed_events_are_made_up_for(few):
    few.sessions.put(ID, "expired", silent=True)
    few.sessions.say_lost()
    few.wait(lambda: "expired" in few.row(PEER)["state"])


def test_events_that_come_while_the_list_is_read_are_applied_after_it(few):
    few.gateway.mute.clear()
    few.sessions.say_lost()
    few.wait(lambda: len(few.asked("/api/sessions")) == 2)
    few.sessions.put(ID, "expired")
    few.sessions.put(ID, "down")
    few.sessions.put("203.0.113.9%eth9")
    few.sessions.put("10.0.0.2%eth1", "destroyed")
    few.gateway.mute.set()
    few.wait(lambda: few.row("203.0.113.9") and "down" in few.row(PEER)["state"] and not few.row("10.0.0.2"))


def test_events_that_the_list_contains_are_not_applied_again(few):
    few.sessions.put(ID, "down")
    few.wait(lambda: "down" in few.row(PEER)["state"])
    with few.sessions.lock:
        few.sessions.tell("session", {**few.sessions.by_id[ID], "state": "up"}, few.sessions.sequence)
    few.sessions.put("10.0.0.2%eth1", "expired")
    few.wait(lambda: "expired" in few.row("10.0.0.2")["state"])
    assert "down" in few.row(PEER)["state"]


def test_protocols(few):
    few.wait(lambda: few.text("#protocols summary") == "Protocols: 1")
    few.sessions.put_protocol("bfd1", "down")
    few.wait(lambda: few.text("#protocols summary") == "Protocols: 1, 1 not up")


def test_phone(few):
    few.cdp("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    few.sessions.put("10.0.0.3%eth2", "up")
    few.sessions.put("fe80::1234:5678:9abc:def0%enp132s0f1np1", "expired")
    few.wait(lambda: few.row("fe80::1234:5678:9abc:def0"))
    few.wait(lambda: all(few.column("clients")))
    for name in ("phone", "phone-panel"):
        few.shot(name)
        assert few.js("return document.documentElement.scrollWidth") <= 360
        assert few.js("return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() &&"
                      "!e.closest('svg, details') && e.getBoundingClientRect().right > 361).length") == 0
        if name == "phone":
            assert len(few.rows()) >= 5
            few.open_panel("fe80::1234:5678:9abc:def0")
    assert few.js("return document.getElementById('panel').getBoundingClientRect().width") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(few, scheme):
    few.cdp("Emulation.setEmulatedMedia", features=[
        {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
    few.sessions.put("10.0.0.2%eth1", "created")
    few.wait(lambda: few.count("created") == 1)
    few.click("#states button[value=up]")
    few.click("#states button[value='']")
    few.open_panel("10.0.0.3")
    few.sessions.set_connected(False, "gone")
    few.wait(lambda: "gone" in few.status())
    few.shot(f"stale-{scheme}")
    assert [found for found in few.js(CONTRASTS) if found[0] < 4.5] == []
    few.sessions.set_connected(True)
    few.wait(lambda: few.status() == "Live")
    few.shot(f"panel-{scheme}")
    assert [found for found in few.js(CONTRASTS) if found[0] < 4.5] == []
    back = few.js("return getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
