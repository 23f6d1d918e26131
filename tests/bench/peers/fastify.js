// Two processes of fastify and fast-jwt. Verifies, and stores nothing.
const cluster = require("node:cluster");

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  process.on("SIGTERM", () => process.exit(0));
} else {
  const verify = require("fast-jwt").createVerifier({ key: process.env.SECRET, algorithms: ["HS256"] });
  const app = require("fastify")();
  app.post("/connect", async (request, reply) => {
    try {
      verify((request.headers.authentication || "").slice("Bearer ".length));
    } catch (e) {
      return reply.code(401).send({ status: "refused" });
    }
    return { status: "done" };
  });
  app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
}
