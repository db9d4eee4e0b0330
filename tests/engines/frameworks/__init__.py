"""Pages made with frameworks, as their users make them, each with a real server.

test_frameworks.py  the tests, each for all pages
pages.py            the pages: how each is prepared and served, and what it saves
customer.py         a customer, who signs in, pays and saves on any of the pages
servers.py          the pages' servers, and a proxy that records their requests
conftest.py         the fixtures
build.mjs           bundles the small pages with esbuild
serve.mjs           serves one small page; http.mjs is what these servers share

A folder with a `server.js` is a small page. php/, nextjs/ and sveltekit/ have servers of their own.
"""
