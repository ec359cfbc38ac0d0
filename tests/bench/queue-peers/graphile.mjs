// graphile-worker: each job is acknowledged by a statement of its own or, for `batches`, many at once.

import { fileURLToPath } from "node:url";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { asked, isAgent, measureJobs, measureLatencies, serve } from "./common.mjs";

const logger = new Logger(() => () => {});
const concurrency = Math.max(asked.connections, 24);

function runner(taskList) {
  return run({
    connectionString: asked.url,
    logger,
    taskList,
    concurrency,
    maxPoolSize: asked.connections,
    noHandleSignals: true,
    preset: {
      worker: {
        localQueue: { size: asked.batches ? 500 : -1 },
        completeJobBatchDelay: asked.batches ? 0 : -1,
        failJobBatchDelay: asked.batches ? 0 : -1,
      },
    },
  });
}

if (isAgent) {
  await serve(async (done) => {
    const running = await runner({ noop: async () => {} });
    running.events.on("job:complete", () => done());
    return () => running.stop();
  });
} else {
  const utils = await makeWorkerUtils({ connectionString: asked.url, logger, maxPoolSize: asked.submitters ?? 4 });
  await utils.migrate();
  const job = { identifier: "noop", payload: { nothing: true } };
  const submit = (together) =>
    together === 1 ? utils.addJob(job.identifier, job.payload) : utils.addJobs(Array(together).fill(job));
  if (asked.do === "jobs") {
    await measureJobs(fileURLToPath(import.meta.url), submit);
  } else {
    const handler = {};
    const running = await runner({ noop: async () => handler.started() });
    await measureLatencies(submit, handler);
    await running.stop();
  }
  await utils.release();
  process.exit(0);
}
