import { openCheckpoint, readJson } from '@mamba-ts/checkpoint';
import { parseConfig } from '@mamba-ts/model';
import { embeddedModel } from '../embedded.js';
import { JSON_OPTION, MODEL_OPTIONS } from './model.js';
import type { Verb } from './verb.js';

export const inspect: Verb = {
  name: 'inspect',
  summary: 'what is in a checkpoint: config, tensors, sizes; reads no weights',
  example: 'mamba-ts inspect --model my-model',
  options: {
    model: MODEL_OPTIONS.model,
    backend: { ...MODEL_OPTIONS.backend, help: 'accepted as by every verb; nothing is computed' },
    ...JSON_OPTION,
  },
  async run(values, io) {
    const checkpoint = await openCheckpoint(values.text('model') ?? embeddedModel(), { signal: io.signal });
    const config = parseConfig(await readJson(checkpoint.source, 'config.json', { signal: io.signal }));
    const tensors = [...checkpoint.tensors].map(([name, { dtype, shape, bytes }]) => ({
      name,
      dtype,
      shape,
      bytes,
    }));
    const sum = (count: (tensor: (typeof tensors)[number]) => number) =>
      tensors.reduce((total, tensor) => total + count(tensor), 0);
    const parameters = sum(({ shape }) => shape.reduce((product, size) => product * size, 1));
    const bytes = sum((tensor) => tensor.bytes);
    const { files, metadata } = checkpoint;
    if (values.flag('json')) {
      io.out(`${JSON.stringify({ files, config, parameters, bytes, metadata, tensors })}\n`);
      return;
    }
    io.out(`${checkpoint.source.name}: ${files.join(', ')}\n`);
    for (const [key, value] of Object.entries(metadata)) io.out(`  ${key}: ${value}\n`);
    io.out('\nconfig\n');
    for (const [key, value] of Object.entries(config)) {
      if (value !== undefined) io.out(`  ${key.padEnd(20)} ${JSON.stringify(value)}\n`);
    }
    io.out(`\n${tensors.length} tensors, ${parameters} numbers, ${bytes} bytes\n`);
    const width = Math.max(0, ...tensors.map(({ name }) => name.length));
    for (const { name, dtype, shape } of tensors) {
      io.out(`  ${name.padEnd(width)}  ${dtype.padEnd(4)}  [${shape.join(', ')}]\n`);
    }
  },
};
