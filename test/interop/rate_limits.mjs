// @upstash/ratelimit against a plain Redis, at the times it is told: a question a line, an answer a line.
//
//   node rate_limits.mjs PORT
//   [algorithm, max, period, key, rate, now]    -> [success, remaining]; ms

import { createInterface } from "node:readline";
import { Redis } from "ioredis";
import { Ratelimit } from "@upstash/ratelimit";

const client = new Redis(Number(process.argv[2]), "127.0.0.1");

// What the package uses of its own client. Its scripts begin with a line of flags that only its server knows.
const redis = {
	evalsha: (sha, keys, args) => client.evalsha(sha, keys.length, ...keys, ...args),
	eval: (script, keys, args) =>
		client.eval(script.replace(/^#!.*\n/, ""), keys.length, ...keys, ...args),
};

let now = 0;
Date.now = () => now;

const algorithms = {
	fixed: (max, period) => Ratelimit.fixedWindow(max, `${period} ms`),
	sliding: (max, period) => Ratelimit.slidingWindow(max, `${period} ms`),
	token_bucket: (max, period) => Ratelimit.tokenBucket(1, `${period / max} ms`, max),
};

const limits = new Map();
function limit(algorithm, max, period) {
	const name = [algorithm, max, period].join(" ");
	if (!limits.has(name))
		limits.set(name, new Ratelimit({
			redis,
			limiter: algorithms[algorithm](max, period),
			prefix: "theirs:" + algorithm,
			ephemeralCache: false,
			timeout: 0,
		}));
	return limits.get(name);
}

for await (const line of createInterface({ input: process.stdin })) {
	const [algorithm, max, period, key, rate, at] = JSON.parse(line);
	let answer;
	try {
		now = at;
		const got = await limit(algorithm, max, period).limit(key, { rate });
		answer = { ok: [got.success, got.remaining] };
	} catch (error) {
		answer = { error: String(error) };
	}
	console.log(JSON.stringify(answer));
}
client.disconnect();
