#!/usr/bin/env bash
# @fastify/rate-limit's `exponentialBackoff` asks to wait up to 2ⁿ windows, but lets in who waits one.
#
# Each refused request doubles `Retry-After` and `X-RateLimit-Reset`; the store, though, begins a new window when one window has passed since the last request, whatever it told. Twelve requests that came too early are told to stay away for half an hour of which a second is meant. Where it matters: who obeys to the letter stands still for nothing; let few requests be refused, as this package does, since each of a burst doubles the wait of all.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm install --silent --no-fund --no-audit fastify@5.12.8 @fastify/rate-limit@11.2.0 >/dev/null
npm ls --depth 0 | grep -oE '(@fastify/rate-limit|fastify)@[0-9.]+'
cat > backoff.js <<'NODE'
const assert = require('node:assert')
const fastify = require('fastify')

async function main () {
  const app = fastify()
  await app.register(require('@fastify/rate-limit'), { max: 1, timeWindow: 1000, exponentialBackoff: true })
  app.get('/', async () => 'fine')
  const ask = () => app.inject('/')
  assert.strictEqual((await ask()).statusCode, 200)
  const told = []
  for (let refused = 0; refused < 12; refused += 1) told.push(Number((await ask()).headers['retry-after']))
  console.log(`told to wait, in seconds: ${told.join(' ')}`)
  await new Promise((done) => setTimeout(done, 1050))
  const { statusCode } = await ask()
  console.log(`1.05 s later: ${statusCode}`)
  assert.strictEqual(told.at(-1), 2 ** 11)
  assert.strictEqual(statusCode, 200)
}
main().catch((error) => { console.error(error); process.exit(1) })
NODE
node backoff.js
# Seen:
#   @fastify/rate-limit@11.2.0
#   fastify@5.12.8
#   told to wait, in seconds: 1 2 4 8 16 32 64 128 256 512 1024 2048
#   1.05 s later: 200
