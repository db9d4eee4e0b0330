"""Test the script in Chromium, Firefox and WebKit: `python3 -m tests.engines`.

test_*.py          the tests; the service behind the page is the real one
conftest.py        the fixtures: engines, browsers, visits
engines.py         the three engines
browser.py         what the tests need of a browser, implemented in chromium.py, firefox.py and
                   webkit.py; connection.py is their websocket
servers.py         the shop whose pages include the script, and a proxy that simulates faults
visit.py           one test's visit to the shop
scenarios.py       the faults between a page and the service
harness.py         runs a scenario with any sender; script_harness.py does with the script
frameworks/        pages made with frameworks, and their tests
packages.py        builds the bundled application in app/
generated_bodies.py  generates requests, of body_contents.py and body_types.py;
                   page_of_bodies.js sends them
faulty_pages.py    pages in which the browser's parts fail: faulty_browser.js makes the faults,
                   page_of_saves.js saves and reports
builtin_checks.js  reports how a page's built-in functions behave
"""
