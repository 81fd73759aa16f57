import { kvCacheBytes } from '../kv-cache.js';
import { SAMPLING_OPTIONS, streamText } from './generate.js';
import { JSON_OPTION, MODEL_OPTIONS, withModel } from './model.js';
import type { Verb } from './verb.js';

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 2 ** (10 * power)).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

export const demo: Verb = {
  name: 'demo',
  summary: 'stream text from the embedded model, then say what it cost',
  example: 'mamba-ts demo --seed 3',
  options: {
    prompt: { kind: 'text', help: 'what to continue', fallback: '\n' },
    ...SAMPLING_OPTIONS,
    'max-tokens': { ...SAMPLING_OPTIONS['max-tokens'], fallback: 600 },
    // A model this small writes better from the middle of its distribution.
    temperature: { ...SAMPLING_OPTIONS.temperature, fallback: 0.7 },
    'top-p': { ...SAMPLING_OPTIONS['top-p'], fallback: 0.95 },
    ...MODEL_OPTIONS,
    ...JSON_OPTION,
  },
  run: (values, io) =>
    withModel(values, io, async (lm, backend) => {
      const json = values.flag('json');
      const { dModel, nLayer } = lm.config;
      const result = await streamText(lm, values, io, json ? () => {} : io.out);
      const kvCache = kvCacheBytes(dModel, nLayer, result.tokens);
      if (json) {
        io.out(`${JSON.stringify({ ...result, kvCacheBytes: kvCache })}\n`);
        return;
      }
      let parameters = 0;
      for (const { shape } of lm.parameters().values()) parameters += shape.reduce((a, b) => a * b, 1);
      io.out(
        `\n\n${result.tokensPerSecond.toFixed(0)} tokens/s on ${backend.description}\n` +
          `model: ${(parameters / 1e6).toFixed(2)} M parameters, ${nLayer} Mamba blocks of width ${dModel}\n` +
          `state: ${size(result.stateBytes)}, the same after any number of tokens\n` +
          `a transformer's KV cache of equal width: ${size(kvCache)} after these ${result.tokens} tokens, ` +
          `${size(kvCacheBytes(dModel, nLayer, 1e6))} after a million\n`,
      );
    }),
};
