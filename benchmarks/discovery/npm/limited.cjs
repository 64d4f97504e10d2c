// One limit of npm's, with its default refusal: node limited.cjs NAME PORT
// 20 requests a second, or 8 in flight; each answer takes 0.3 to 1 s.
const [name, port] = [process.argv[2], Number(process.argv[3])];
const answer = () => new Promise((done) => setTimeout(done, 300 + 700 * Math.random(), "a caption"));

const servers = {
  async express() {
    const { rateLimit } = require("express-rate-limit");
    const app = require("express")();
    app.use(rateLimit({ windowMs: 1000, limit: 20, validate: false }));
    app.post("/*path", async (request, response) => response.json(await answer()));
    app.listen(port, "127.0.0.1");
  },
  async fastify() {
    const app = require("fastify")();
    await app.register(require("@fastify/rate-limit"), { max: 20, timeWindow: 1000 });
    app.post("/*", async (request, reply) => reply.send(JSON.stringify(await answer())));
    await app.listen({ port, host: "127.0.0.1" });
  },
  async koa() {
    const app = new (require("koa"))();
    const db = new Map();
    app.use(require("koa-ratelimit")({ driver: "memory", db, duration: 1000, max: 20, id: () => "one" }));
    app.use(async (context) => { context.body = JSON.stringify(await answer()); context.type = "json"; });
    app.listen(port, "127.0.0.1");
  },
  async hapi() {
    const server = require("@hapi/hapi").server({ port, host: "127.0.0.1" });
    const limits = { userLimit: 200, userCache: { expiresIn: 10000 }, pathLimit: false };
    await server.register({ plugin: require("hapi-rate-limit"), options: limits });
    server.route({ method: "POST", path: "/{any*}", handler: async (request, h) => h.response(JSON.stringify(await answer())).type("application/json") });
    await server.start();
  },
};

servers[name]();
