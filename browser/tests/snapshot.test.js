import assert from 'node:assert/strict';
import { test } from 'node:test';

import { history } from '../history.js';
import { snapshot } from '../snapshot.js';

globalThis.Node = class {};

const textOf = (kind, ...args) => JSON.stringify(snapshot(kind, args).copy);

test('the arguments of each kind become members', () => {
  assert.equal(textOf('payment', { a: 1 }), '{"a":1}');
  assert.equal(textOf('activity', 'opened', [1]), '{"activity_type":"opened","activity_data":[1]}');
  assert.equal(textOf('dashboard', { a: 1 }, { b: 2 }, 'dark'),
    '{"dashboardData":{"a":1},"tradingState":{"b":2},"theme":"dark"}');
  assert.equal(snapshot('dashboard', [{}, {}, 'dark', 'a@b']).user, '"a@b"');
});

test('a value that is no object is rejected', () => {
  for (const value of [undefined, null, 7, 'x', [{}], () => 0, Symbol('x')]) {
    assert.throws(() => snapshot('payment', [value]), /no object/);
  }
  assert.throws(() => snapshot('dashboard', []), /no object/);
});

test('data is converted as by JSON.stringify, without elements', () => {
  const list = [1, 'x', null, undefined, () => 0, NaN, -Infinity, Symbol('x')];
  const values = { list, map: new Map(), f() {}, o: { b: true } };
  assert.equal(textOf('payment', values), JSON.stringify(values));

  assert.equal(textOf('payment', { at: new Date(0), get a() { return 1; }, element: new Node() }),
    '{"at":"1970-01-01T00:00:00.000Z","a":1}');
});

test('a copy does not change with the call, and counts its characters', () => {
  const given = { notes: ['one'], text: 'x'.repeat(1000) };
  const { copy, size } = snapshot('payment', [given]);
  given.notes.push('two');
  given.later = 1;
  assert.deepEqual(Object.keys(copy), ['notes', 'text']);
  assert.deepEqual(copy.notes, ['one']);
  assert.ok(size > 1000 && size < 1100);
  assert.throws(() => snapshot('payment', [{ amount: 1n }]), /no JSON/);
});

test('a save that is too large is rejected and counted', () => {
  const holes = [];
  holes.length = 1e9;
  const text = 'x'.repeat(21 * 1024 * 1024);
  const large = [holes, new Uint8Array(1.1e6), Array(1.1e6).fill(0), text];
  for (const value of large) assert.throws(() => snapshot('payment', [{ value }]), /too large/);
  assert.equal(history.dropped.payment, large.length);
});

test('a dashboard of 20,000 trades is no save that is too large', () => {
  const trade = (id) => ({
    id, symbol: 'EURUSD', direction: 'BUY', entry: 1.1, exit: 1.2, stop: 1, target: 1.3, lots: 0.1,
    pnl: 5, fee: 0, swap: 0, outcome: 'win', opened: 1, closed: 2, equity: 3, note: 'n',
  });
  const trades = Array.from(Array(20000), (_, n) => trade(n));
  const { copy } = snapshot('dashboard', [{}, { currentEquity: 7, trades }]);
  assert.equal(copy.tradingState.trades.length, 20000);
});
