#!/usr/bin/env node
// A policy that runs on, with several questions in flight (see connect-webhook-policy(7)).
//
//     policy: { exec: [ /usr/bin/node, /usr/local/bin/session.js ], session: true }
//
// For webhooks of fulfillment requests, events and validators alike. While one question waits, for
// Connect or for a service of yours, others are answered.
"use strict";

const readline = require("readline");

const IN_FLIGHT = 16;
const waiting = new Map(); // of what Connect was asked to read: question's id -> resolve

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// Has Connect read, with a key that this program never holds.
function get(question, path) {
  say({ id: question.id, get: path });
  return new Promise((resolve) => waiting.set(question.id, resolve));
}

function parameter(request, name) {
  const params = (request.asset && request.asset.params) || [];
  const found = params.find((p) => p.id === name);
  return (found && found.value) || "";
}

// What to do with a request.
async function decide(question) {
  const request = question.object;
  if (request.status === "revoking") return { action: "confirm" };
  if (request.type !== "purchase") return { action: "skip", reason: `a ${request.type} is for a person` };
  const asset = await get(question, `/assets/${request.asset.id}`);
  if (asset.status !== 200) return { action: "reschedule", after: "5m", reason: asset.error || "no asset" };
  return { action: "approve", message: `Welcome: ${asset.body.id} is yours.` };
}

// What to say about a form.
async function validate(question) {
  const email = parameter(question.object, "admin_email").trim().toLowerCase();
  const error = email.includes("@") ? "" : "Please give an e-mail address.";
  return { params: [{ id: "admin_email", value: email, value_error: error }] };
}

say({ hello: 1, in_flight: IN_FLIGHT });
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const message = JSON.parse(line);
  if (message.kind === undefined) { // what Connect gave
    const resolve = waiting.get(message.id);
    waiting.delete(message.id);
    resolve(message);
    return;
  }
  const answer = await (message.kind === "process" ? decide(message) : validate(message));
  say({ id: message.id, ...answer });
});
