#!/usr/bin/env bash
# koa-ratelimit rounds `Retry-After` down, with Redis twice, by up to two seconds: who waits as told is refused again.
#
# The Redis store cuts the end of the window to a whole second before the middleware cuts what is left of it; the memory store that one tries at home keeps the fraction. A window of a second or two says 0, or less, from its beginning. Where it matters: `Retry-After: 0` beside a 429 is no leave to ask at once, and a client that obeys to the letter spends its requests on refusals; wait a little longer of your own accord, as this package does.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm install --silent --no-fund --no-audit koa@3.3.0 koa-ratelimit@6.0.0 ioredis@5.11.1 ioredis-mock@8.13.1 >/dev/null
npm ls --depth 0 | grep -oE '(koa|koa-ratelimit|ioredis-mock)@.*'
cat > waits.js <<'NODE'
let now = 1_790_000_000_300 // .3 s after a full second: its place decides the second cut
Date.now = () => now
process.hrtime = (since = [0, 0]) => {
  const passed = now * 1000 - since[0] * 1e6 - since[1] / 1000
  return [Math.floor(passed / 1e6), (passed % 1e6) * 1000]
}
process.hrtime.bigint = () => BigInt(now) * 1_000_000n

const assert = require('node:assert')
const { once } = require('node:events')
const Koa = require('koa')
const ratelimit = require('koa-ratelimit')
const Redis = require('ioredis-mock')

const WINDOW = 1600

async function obey(driver, db) {
  const app = new Koa()
  app.use(ratelimit({ driver, db, duration: WINDOW, max: 1, id: () => 'somebody' }))
  app.use((ctx) => { ctx.body = 'fine' })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ask = () => fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { connection: 'close' } })
  const began = now
  const granted = await ask()
  const refused = await ask()
  const told = Number(refused.headers.get('retry-after'))
  now += told * 1000
  const again = await ask()
  now = began + WINDOW + 1
  const afterwards = await ask()
  server.close()
  const statuses = [granted, refused, again, afterwards].map((answer) => answer.status)
  console.log(`${driver}: with 1.6 s left ${refused.status}, Retry-After: ${told}; ${told} s later ${again.status}; after 1.6 s ${afterwards.status}`)
  assert.deepStrictEqual(statuses, [200, 429, 429, 200])
  return told
}

(async () => {
  assert.strictEqual(await obey('memory', new Map()), 1)
  now += 10_000 - (now % 10_000) + 300
  assert.strictEqual(await obey('redis', new Redis()), 0)
  process.exit(0)
})()
NODE
node waits.js
# Seen:
#   ioredis-mock@8.13.1
#   koa-ratelimit@6.0.0
#   koa@3.3.0
#   memory: with 1.6 s left 429, Retry-After: 1; 1 s later 429; after 1.6 s 200
#   redis: with 1.6 s left 429, Retry-After: 0; 0 s later 429; after 1.6 s 200
