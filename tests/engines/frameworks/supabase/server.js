// Answers as Supabase's authentication and PostgREST do, and as the site's own route.
import { readJson, respondAsApi, sendJson, tokenFor } from '../http.mjs';

const YEAR_SECONDS = 31536000;

function sessionFor(email) {
  const user = {
    id: '7b0c9f9e-0a51-4c0f-9f3c-2f5c4ad0c3a7', aud: 'authenticated', role: 'authenticated', email,
    app_metadata: { provider: 'email' },
    user_metadata: { full_name: 'Example User', about: 'A trader from the north. '.repeat(120) },
    created_at: '2026-01-01T00:00:00Z',
  };
  return {
    access_token: tokenFor(email), token_type: 'bearer', expires_in: YEAR_SECONDS,
    expires_at: Math.floor(Date.now() / 1000) + YEAR_SECONDS, refresh_token: 'refresh-of-the-user',
    user,
  };
}

export async function respond(request, response, pathname) {
  if (pathname === '/auth/v1/token') {
    return sendJson(response, sessionFor((await readJson(request)).email));
  }
  if (!pathname.startsWith('/rest/v1/')) return respondAsApi(request, response, pathname);
  if (request.method === 'GET') return sendJson(response, []);
  const row = { id: 77, created_at: '2026-01-01T00:00:00Z', ...await readJson(request) };
  const { accept, prefer = '' } = request.headers;
  if (!prefer.includes('return=representation')) return response.writeHead(201).end();
  const isSingle = accept?.includes('vnd.pgrst.object');
  return sendJson(response, isSingle ? row : [row], 201);
}
