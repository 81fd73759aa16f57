import { BACKENDS, type BackendName, probeBackends } from '../create-backend.js';
import { BACKEND_OPTIONS, JSON_OPTION } from './model.js';
import type { Verb } from './verb.js';

export const doctor: Verb = {
  name: 'doctor',
  summary: 'what this machine offers, and why each refused backend was refused',
  example: 'mamba-ts doctor --json',
  options: { ...BACKEND_OPTIONS, ...JSON_OPTION },
  async run(values, io) {
    const os = await import('node:os');
    const wanted = values.text('backend') as BackendName | 'auto';
    const names = wanted === 'auto' ? BACKENDS : [wanted];
    const probes = await probeBackends({ threads: values.number('threads') }, names);
    const machine = {
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      processor: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      memoryBytes: os.totalmem(),
    };
    const chosen = probes.find(({ available }) => available)?.name ?? null;
    if (values.flag('json')) {
      io.out(`${JSON.stringify({ ...machine, auto: chosen, backends: probes })}\n`);
      return;
    }
    io.out(
      `Node ${machine.node} on ${machine.platform}, ${machine.processor}, ${machine.cores} cores, ` +
        `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB\n`,
    );
    for (const { name, available, detail } of probes) {
      io.out(`${available ? 'yes' : 'no '}  ${name.padEnd(7)} ${detail}\n`);
    }
    if (wanted === 'auto') io.out(`--backend auto takes ${chosen}\n`);
  },
};
