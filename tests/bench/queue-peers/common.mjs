// What the programs for Node share: they are told by JSON what to do and answer with a line of it.

import { fork } from "node:child_process";

export const asked = JSON.parse(process.argv[2]);
export const isAgent = process.argv[3] === "agent";

// So many at a time, each when one before it is done.
export async function inFlight(count, width, once) {
  let next = 0;
  const lane = async () => {
    while (next < count) await once(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

// Agents are processes of their own: one of Node's uses one core. Once they are ready `submit` is called with
// how many jobs to submit together, until all are; the time until they have done all is said.
export async function measureJobs(script, submit) {
  let done = 0;
  let allDone;
  const finished = new Promise((resolve) => (allDone = resolve));
  const agents = Array.from({ length: asked.agents }, () => fork(script, [process.argv[2], "agent"]));
  const ready = agents.map(
    (agent) =>
      new Promise((resolve, reject) => {
        agent.on("exit", (code) => reject(new Error(`an agent ended with ${code}`)));
        agent.on("message", (message) => {
          if (message.ready) resolve();
          if (message.done) done += message.done;
          if (done >= asked.jobs) allDone();
        });
      }),
  );
  await Promise.all(ready);
  const begun = performance.now();
  const together = (n) => Math.min(asked.together, asked.jobs - n * asked.together);
  await inFlight(Math.ceil(asked.jobs / asked.together), asked.submitters, (n) => submit(together(n)));
  await finished;
  const seconds = (performance.now() - begun) / 1000;
  for (const agent of agents) {
    agent.removeAllListeners("exit");
    agent.send("stop");
  }
  await Promise.all(agents.map((agent) => new Promise((resolve) => agent.on("exit", resolve))));
  console.log(JSON.stringify({ seconds }));
}

// An agent's side of it: `start` is given a function to call for each job that is done, and answers with
// one that stops it.
export async function serve(start) {
  let done = 0;
  const stop = await start((count = 1) => (done += count));
  const tell = setInterval(() => {
    if (done > 0) process.send({ done });
    done = 0;
  }, 2);
  process.send({ ready: true });
  await new Promise((resolve) => process.once("message", resolve));
  clearInterval(tell);
  await stop();
  process.exit(0);
}

// One job at a time to an idle worker in this process: `submit` resolves when it is committed, and
// `started` is to be called when the handler begins.
export async function measureLatencies(submit, handler) {
  const microseconds = [];
  for (const pause of asked.pauses) {
    const started = new Promise((resolve) => (handler.started = () => resolve(process.hrtime.bigint())));
    await submit(1);
    const committed = process.hrtime.bigint();
    const at = await started;
    microseconds.push(Math.max(0, Number(at - committed) / 1000));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  console.log(JSON.stringify({ microseconds }));
}
