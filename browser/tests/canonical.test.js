import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  belongsTo, canonicalJson, isExtended, mergePreferFirst, plainKey, valuesIn,
} from '../canonical.js';
import { CALL, STORAGE_KEY } from '../constants.js';
import { record } from '../values.js';

test('all spellings of a name are equal', () => {
  assert.deepEqual(['userEmail', 'user_email', 'USER-EMAIL', 'useremail'].map(plainKey),
    Array(4).fill('useremail'));
});

test('names in other scripts are names of their own', () => {
  const names = ['имя', 'Тариф', 'τιμή', 'οδός', '名前', '价格', 'नाम', 'السعر', 'قيمة',
    'ปี', 'ปู', 'की', 'का', 'بند١', 'بند٢', '項目①', '項目②', '💰', '📅', '%', '€'];
  assert.equal(new Set(names.map(plainKey)).size, names.length);
  assert.deepEqual(['Имя_Клиента', 'имя клиента'].map(plainKey), Array(2).fill('имяклиента'));
  const merged = mergePreferFirst({ имя: 'A' }, { тариф: 'Pro' });
  assert.deepEqual({ ...merged }, { имя: 'A', тариф: 'Pro' });
});

test('saves of the same content are equal despite other times and generated ids', () => {
  const save = (time) => canonicalJson({
    plan: 'Pro',
    timestamp: time,
    created_at: time,
    lastUpdated: time,
    last_activity: time,
    lastSeenAt: time,
    id: 'NON-CRYPTO-' + time,
    inner: [{ savedAt: time, equity: 5 }],
  });
  assert.equal(save(1), save(2));
  assert.equal(save(1), '{"plan":"Pro","inner":[{"equity":5}]}');
});

test('large saves are equal only if their texts and members are', () => {
  const text = 'x'.repeat(2e6);
  const save = (screenshot, more) => canonicalJson({ user_id: 7, screenshot, ...more });
  assert.ok(save(text).length < 5000);
  assert.equal(save(text), save(text.slice()));
  for (const other of [text + 'x', 'y' + text.slice(1), 'y'.repeat(2e6)]) {
    assert.notEqual(save(text), save(other));
  }
  assert.notEqual(save(text), save(text, { plan: 'Pro' }));
  const members = Array.from(Array(4e5), (_, n) => n);
  assert.equal(save('', { members }), JSON.stringify({ user_id: 7, screenshot: '', members }));
});

test('a large text is searched at both ends, and no value is put together of them', () => {
  const between = '"notes":"' + 'x'.repeat(3e6) + '"';
  const text = '{"user_id":"first",' + between + ',"user_id":"last"}';
  assert.deepEqual(valuesIn(text, 'user_id'), ['first', 'last']);
  const cut = '{"user_id":"' + 'x'.repeat(3e6) + '"}';
  assert.deepEqual(valuesIn(cut, 'user_id'), []);
});

test('times with a meaning of their own are kept', () => {
  const body = { created: 1, start_at: 2, at: 3 };
  assert.equal(canonicalJson(body), JSON.stringify(body));
});

test('the first body is preferred, and the second adds missing members', () => {
  const first = { plan: 'Pro', email: '', note: null };
  const second = { plan: 'x', email: 'a@b', note: 1, more: 2 };
  const merged = mergePreferFirst(first, second);
  assert.deepEqual({ ...merged }, { plan: 'Pro', email: 'a@b', note: 1, more: 2 });
});

test('a member in another spelling is the same member', () => {
  const merged = mergePreferFirst({ finalPrice: 5 }, { final_price: 7 });
  assert.deepEqual({ ...merged }, { finalPrice: 5 });
});

test('members that are objects are merged, arrays are not', () => {
  const first = { user: { name: 'A' }, list: [1] };
  const merged = mergePreferFirst(first, { user: { name: 'B', id: 2 }, list: [2, 3] });
  assert.equal(JSON.stringify(merged), '{"user":{"name":"A","id":2},"list":[1]}');
});

test('a text is extended only by members at its end', () => {
  assert.ok(isExtended('{"a":1,"b":2}', '{"a":1}'));
  assert.ok(isExtended('{"a":1}', '{"a":1}'));
  assert.ok(!isExtended('{"a":12}', '{"a":1}'));
  assert.ok(!isExtended('{"b":2,"a":1}', '{"a":1}'));
});

test('values are found at all depths, each once and at most 50', () => {
  const text = '{"order_id":"A","x":[{"orderId":7},{"ORDERID":"A"}],"order_id":null}';
  assert.deepEqual(valuesIn(text, 'order_?id'), ['A', '7']);
  const many = JSON.stringify(Array.from({ length: 80 }, (_, n) => ({ orderid: n })));
  assert.equal(valuesIn(many, 'order_?id').length, 50);
});

test('the name of a form field can be the end of a path', () => {
  const text = '{"order[email]":"A","order[customer][email]":"B","Order.Email":"C","my_email":"D"}';
  assert.deepEqual(valuesIn(text, 'email'), ['A', 'B', 'C']);
});

test('a text without an end is no value', () => {
  assert.deepEqual(valuesIn('{"email":"user@example.co', 'email'), []);
});

const part = (more) =>
  record({ kind: 'payment', from: 'call', rank: CALL, text: '{"a":1}', ids: [] }, more);

const open = (...parts) =>
  record({ kind: 'payment', parts: new Map(parts.map((one) => [one.from, one])) });

test('a part of another source belongs to an open capture of its kind', () => {
  assert.ok(belongsTo(part({ from: 'fetch' }), open(part())));
  assert.ok(!belongsTo(part({ from: 'fetch', kind: 'dashboard' }), open(part())));
});

test('a part with another user, visitor or transaction belongs to another capture', () => {
  for (const name of ['own', 'here', 'number']) {
    const item = record(open(part()), { [name]: 'A' });
    assert.ok(belongsTo(part({ from: 'fetch', [name]: 'A' }), item));
    assert.ok(!belongsTo(part({ from: 'fetch', [name]: 'B' }), item));
  }
});

test('a second part of a source belongs to a capture only if it extends the first', () => {
  assert.ok(belongsTo(part({ text: '{"a":1,"b":2}' }), open(part())));
  assert.ok(!belongsTo(part({ text: '{"a":2}' }), open(part())));
});

test('a rewritten storage key belongs to its capture, unless it names another payment', () => {
  const key = (ids) => part({ from: 'key', rank: STORAGE_KEY, ids, text: JSON.stringify(ids) });
  assert.ok(belongsTo(key(['A']), open(key([]))));
  assert.ok(belongsTo(key(['A', 'B']), open(key(['B']))));
  assert.ok(!belongsTo(key(['A']), open(key(['B']))));
});

test('a capture has at most 20 parts', () => {
  const parts = Array.from({ length: 20 }, (_, n) => part({ from: String(n) }));
  assert.ok(!belongsTo(part({ from: 'one more' }), open(...parts)));
});
