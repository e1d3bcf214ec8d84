// @upstash/lock against a plain Redis: a question a line, an answer a line.
//
//   node locks.mjs PORT
//   ["acquire", id, lease, uuid or null]    -> the token, or null
//   ["adopt", id, token]                    -> true: a lock that somebody else took with that token
//   ["release", id], ["extend", id, ms]     -> boolean
//   ["status", id]                          -> "ACQUIRED" or "FREE"

import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { Lock } from "@upstash/lock";

const client = new Redis(Number(process.argv[2]), "127.0.0.1");

// What the package uses of its own client.
const redis = {
	get: (key) => client.get(key),
	set: (key, value, { nx, px }) => client.set(key, value, "PX", px, ...(nx ? ["NX"] : [])),
	eval: (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
};

const locks = new Map();
function lockOf(id) {
	if (!locks.has(id))
		locks.set(id, new Lock({ redis, id, retry: { attempts: 1, delay: 1 } }));
	return locks.get(id);
}

const questions = {
	async acquire(id, lease, uuid) {
		const lock = lockOf(id);
		return (await lock.acquire({ lease, ...(uuid ? { uuid } : {}) })) ? lock.config.UUID : null;
	},
	async adopt(id, token) {
		lockOf(id).config.UUID = token;
		return true;
	},
	release: (id) => lockOf(id).release(),
	extend: (id, ms) => lockOf(id).extend(ms),
	status: (id) => lockOf(id).getStatus(),
};

for await (const line of createInterface({ input: process.stdin })) {
	const [question, ...args] = JSON.parse(line);
	let answer;
	try {
		answer = { ok: await questions[question](...args) };
	} catch (error) {
		answer = { error: String(error) };
	}
	console.log(JSON.stringify(answer));
}
client.disconnect();
