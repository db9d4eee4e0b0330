// Serves one page, its bundle and its own server: node serve.mjs PAGE FOLDER_OF_BUNDLES PORT
import fs from 'node:fs';
import http from 'node:http';
import { firstScripts, sendHtml } from './http.mjs';

const [page, folder, port] = process.argv.slice(2);
const { respond } = await import(`./${page}/server.js`);
const bundle = fs.readFileSync(`${folder}/${page}.js`);

/** Sends page.html with its first scripts; the comment in their place has the tag's attributes. */
function sendPage(request, response) {
  const html = fs.readFileSync(`${page}/page.html`, 'utf8');
  const scripts = (_comment, attributes) => firstScripts(request, attributes);
  sendHtml(response, html.replace(/<!-- capture tag(.*?)-->/s, scripts));
}

http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/main.js') {
    response.setHeader('Content-Type', 'text/javascript').end(bundle);
  } else if (pathname === '/' && fs.existsSync(`${page}/page.html`)) {
    sendPage(request, response);
  } else {
    Promise.resolve(respond(request, response, pathname)).catch((error) => {
      response.writeHead(500).end(String(error.stack));
    });
  }
}).listen(Number(port), '127.0.0.1');

process.stdin.on('end', () => process.exit()).resume(); // the tests have ended
