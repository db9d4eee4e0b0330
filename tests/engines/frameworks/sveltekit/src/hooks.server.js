const tagOf = (service) => (
  service
    ? `<script src="${service}/frontend_data_capture_integration.js" crossorigin`
      + ' data-person="app.session.user"></script>'
    : ''
);

export function handle({ event, resolve }) {
  const email = event.cookies.get('svelte_session');
  event.locals.user = email ? { id: 7, name: 'Example User', email } : null;
  const tag = tagOf(event.request.headers.get('x-capture-service'));
  return resolve(event, {
    transformPageChunk: ({ html }) => html.replace('%capture.tag%', () => tag),
  });
}
