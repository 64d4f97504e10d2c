// One limit of npm's, with its default refusal: node limited.cjs NAME PORT [REQUESTS MILLISECONDS]
// 20 requests a second, unless told, or 8 in flight; each answer takes 0.3 to 1 s.
const [name, port] = [process.argv[2], Number(process.argv[3])];
const [most, duration] = [Number(process.argv[4] ?? 20), Number(process.argv[5] ?? 1000)];
const host = "127.0.0.1";
const answer = () => new Promise((done) => setTimeout(done, 300 + 700 * Math.random(), JSON.stringify("a caption")));

const express = (limit) => {
  const app = require("express")();
  app.use(limit);
  app.post("/*path", async (request, response) => response.type("json").send(await answer()));
  app.listen(port, host);
};
const fastify = async (plugin, options, route = answer) => {
  const app = require("fastify")();
  await app.register(require(plugin), options);
  app.post("/*", async (request, reply) => reply.type("application/json").send(await route()));
  await app.listen({ port, host });
};

const servers = {
  express: () => express(require("express-rate-limit").rateLimit({ windowMs: duration, limit: most, validate: false })),
  "express-draft-8": () => express(require("express-rate-limit").rateLimit({ windowMs: duration, limit: most, standardHeaders: "draft-8", legacyHeaders: false, validate: false })),
  flexible() {
    const limiter = new (require("rate-limiter-flexible").RateLimiterMemory)({ points: most, duration: duration / 1000 });
    express((request, response, next) => limiter.consume("one").then(() => next(), (refused) => {
      response.set("Retry-After", refused.msBeforeNext / 1000).status(429).send("Too Many Requests");  // as its manual has it
    }));
  },
  fastify: () => fastify("@fastify/rate-limit", { max: most, timeWindow: duration }),
  "fastify-ban": () => fastify("@fastify/rate-limit", { max: most, timeWindow: duration, ban: 3 }),
  "fastify-backoff": () => fastify("@fastify/rate-limit", { max: most, timeWindow: duration, exponentialBackoff: true }),
  "under-pressure"() {
    let inside = 0;
    const healthCheck = async () => inside < 8;
    return fastify("@fastify/under-pressure", { healthCheck, healthCheckInterval: 20 }, async () => {
      inside += 1;
      return answer().finally(() => { inside -= 1; });
    });
  },
  koa() {
    const app = new (require("koa"))();
    const db = new Map();
    app.use(require("koa-ratelimit")({ driver: "memory", db, duration, max: most, id: () => "one" }));
    app.use(async (context) => { context.body = await answer(); context.type = "json"; });
    app.listen(port, host);
  },
  async hapi() {
    const server = require("@hapi/hapi").server({ port, host });
    const limits = { userLimit: most, userCache: { expiresIn: duration }, pathLimit: false };
    await server.register({ plugin: require("hapi-rate-limit"), options: limits });
    server.route({ method: "POST", path: "/{any*}", handler: async (request, h) => h.response(await answer()).type("application/json") });
    await server.start();
  },
  hono() {
    const { rateLimiter } = require("hono-rate-limiter");
    const app = new (require("hono").Hono)();
    app.use(rateLimiter({ windowMs: duration, limit: most, keyGenerator: () => "one" }));
    app.post("*", async (context) => context.body(await answer(), 200, { "Content-Type": "application/json" }));
    require("@hono/node-server").serve({ fetch: app.fetch, port, hostname: host });
  },
  async nest() {
    require("reflect-metadata");
    const { Controller, Header, HttpCode, Module, Post } = require("@nestjs/common");
    const { APP_GUARD, NestFactory } = require("@nestjs/core");
    const { ThrottlerGuard, ThrottlerModule } = require("@nestjs/throttler");
    class Ask { ask() { return answer(); } }
    const method = [Ask.prototype, "ask", Object.getOwnPropertyDescriptor(Ask.prototype, "ask")];
    for (const decorate of [Post("/*any"), HttpCode(200), Header("Content-Type", "application/json")]) decorate(...method);
    Controller()(Ask);
    class Limited {}
    const guard = { provide: APP_GUARD, useClass: ThrottlerGuard };
    Module({ imports: [ThrottlerModule.forRoot([{ ttl: duration, limit: most }])], controllers: [Ask], providers: [guard] })(Limited);
    const app = await NestFactory.create(Limited, { logger: false });
    await app.listen(port, host);
  },
};

servers[name]();
