// pg-boss: fetched in batches, since a worker waits between its looks, and settled job by job. With a `cap`,
// so many jobs of each of `tenants` groups run at once.

import { fileURLToPath } from "node:url";
import { PgBoss } from "pg-boss";
import { asked, isAgent, measureJobs, measureLatencies, serve } from "./common.mjs";

const QUEUE = "noop";

async function boss(max) {
  const boss = new PgBoss({ connectionString: asked.url, max, schedule: false, supervise: false, useListenNotify: true });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}

function work(boss, handle) {
  const options = {
    batchSize: 100,
    burstWhenBatchFull: true,
    localConcurrency: 4,
    notifyPollingIntervalSeconds: 0.5,
    perJobResults: true,
    pollingIntervalSeconds: 0.5,
    ...(asked.cap ? { groupConcurrency: asked.cap } : {}),
  };
  return boss.work(QUEUE, options, async (jobs) => {
    handle(jobs.length);
    return jobs.map((job) => ({ id: job.id, status: "completed" }));
  });
}

if (isAgent) {
  await serve(async (done) => {
    const agent = await boss(asked.connections);
    await work(agent, done);
    return () => agent.stop({ graceful: true });
  });
} else {
  const client = await boss(asked.submitters ?? 8);
  await client.createQueue(QUEUE, { notify: true });
  const job = { data: { nothing: true } };
  let submissions = 0;
  const submit = (together) => {
    const options = asked.cap ? { group: { id: `tenant-${submissions++ % asked.tenants}` } } : {};
    return together === 1
      ? client.send(QUEUE, job.data, options)
      : client.insert(QUEUE, Array(together).fill({ ...job, ...options }));
  };
  if (asked.do === "jobs") {
    await measureJobs(fileURLToPath(import.meta.url), submit);
  } else {
    const handler = {};
    await work(client, () => handler.started());
    await measureLatencies(submit, handler);
  }
  await client.stop({ graceful: false });
  process.exit(0);
}
