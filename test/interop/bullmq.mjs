// BullMQ's side of bullmq.py: its Queue, Worker and QueueEvents, told what to do by lines of JSON.
//
// Arguments: the package (bullmq5, bullmq6) and Redis's port. A job whose data says {"fail": n} throws in
// its first n attempts.
import { createInterface } from "node:readline";

const [, , name, port] = process.argv;
const { Queue, QueueEvents, Worker } = await import(name);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const queues = {};

function queue(of) {
	queues[of] ??= { queue: new Queue(of, { connection }), events: [], worked: [] };
	return queues[of];
}

async function process_job(job, worked) {
	worked.push({
		id: job.id,
		name: job.name,
		data: job.data,
		attempt: job.attemptsMade,
		late: Date.now() - (job.timestamp + (job.opts.delay ?? 0)),
	});
	if (job.attemptsMade < (job.data.fail ?? 0)) throw new Error("as told");
	return { done: job.data };
}

const words = {
	// Announces itself in meta, as every application with a Queue does.
	async open(of) {
		await queue(of).queue.waitUntilReady();
		await queue(of).queue.getVersion();
		return null;
	},
	async add(of, name, data, opts) {
		return (await queue(of).queue.add(name, data, opts)).id;
	},
	async pause(of) {
		return (await queue(of).queue.pause()) ?? null;
	},
	async resume(of) {
		return (await queue(of).queue.resume()) ?? null;
	},
	// All of the queue's events from its first one on.
	async watch(of) {
		const q = queue(of);
		q.watcher = new QueueEvents(of, { connection, lastEventId: "0-0" });
		for (const kind of ["added", "waiting", "delayed", "duplicated", "active", "completed"])
			q.watcher.on(kind, (event) => q.events.push({ kind, ...event }));
		await q.watcher.waitUntilReady();
		return null;
	},
	async work(of, concurrency) {
		const q = queue(of);
		q.worker = new Worker(of, (job) => process_job(job, q.worked), { connection, concurrency });
		await q.worker.waitUntilReady();
		return null;
	},
	async rest(of) {
		await queue(of).worker.close();
		return null;
	},
	// What happened, when all these jobs have completed as QueueEvents tells it.
	async completed(of, ids) {
		const q = queue(of);
		const done = () => {
			const seen = new Set(q.events.filter((e) => e.kind == "completed").map((e) => e.jobId));
			return ids.every((id) => seen.has(id));
		};
		while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
		return { events: q.events, worked: q.worked };
	},
	async job(of, id) {
		const job = await queue(of).queue.getJob(id);
		return job && { ...job.toJSON(), state: await job.getState() };
	},
	async counts(of) {
		return await queue(of).queue.getJobCounts();
	},
};

for await (const line of createInterface({ input: process.stdin })) {
	const [word, ...rest] = JSON.parse(line);
	let answer;
	try {
		answer = { ok: await words[word](...rest) };
	} catch (error) {
		answer = { error: String(error.stack ?? error) };
	}
	process.stdout.write(JSON.stringify(answer) + "\n");
}
process.exit(0);
