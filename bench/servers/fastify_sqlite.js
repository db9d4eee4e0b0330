// Store captures with Fastify and better-sqlite3, in WAL mode with synchronous=FULL: the same two
// inserts, one transaction per request.
//
//   node fastify_sqlite.js PORT DATABASE

'use strict'

const Database = require('better-sqlite3')
const fastify = require('fastify')()

const database = new Database(process.argv[3])
database.pragma('journal_mode = WAL')
database.pragma('synchronous = FULL')

const columns = [
  'user_email', 'user_name', 'plan_name', 'original_price', 'discount_amount', 'final_price',
  'coupon_code', 'payment_method', 'transaction_id', 'payment_status', 'payment_processor',
  'crypto_transaction_hash', 'crypto_from_address', 'crypto_amount'
]
const insertPayment = database.prepare(
  `INSERT INTO payment_data (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
)
const insertAudit = database.prepare(
  "INSERT INTO data_capture_audit (user_email, capture_type, data_snapshot) " +
    "VALUES (?, 'payment', ?)"
)
const store = database.transaction((payload) => {
  const row = insertPayment.run(columns.map((column) => payload[column] ?? null))
  insertAudit.run(payload.user_email, JSON.stringify(payload))
  return row.lastInsertRowid
})

fastify.post('/api/data-capture/payment', (request, reply) => {
  const id = store(request.body)
  reply.code(201).send({ success: true, payment_id: id, capture_id: request.body.capture_id })
})

fastify.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
