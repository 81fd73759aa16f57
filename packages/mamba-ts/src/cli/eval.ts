import { evaluateText } from '@mamba-ts/train';
import { JSON_OPTION, MODEL_OPTIONS, withModel } from './model.js';
import { readFile } from './read-file.js';
import type { Verb } from './verb.js';

export const evaluate: Verb = {
  name: 'eval',
  summary: 'loss, perplexity and bits per byte of a model on a text file',
  example: 'mamba-ts eval --text book.txt',
  options: {
    text: { kind: 'text', value: 'FILE', help: 'UTF-8 text to predict', required: true },
    ...MODEL_OPTIONS,
    ...JSON_OPTION,
  },
  async run(values, io) {
    const bytes = await readFile(values.text('text') as string);
    await withModel(values, io, async (lm) => {
      const result = await evaluateText(lm, bytes, { signal: io.signal });
      if (values.flag('json')) {
        io.out(`${JSON.stringify(result)}\n`);
        return;
      }
      io.out(
        `${result.tokens} tokens predicted, ${result.bytes} bytes\n` +
          `loss        ${result.natsPerToken.toFixed(4)} nats a token, ${result.natsPerByte.toFixed(4)} nats a byte\n` +
          `            ${result.bitsPerByte.toFixed(4)} bits a byte\n` +
          `perplexity  ${result.perplexity.toFixed(3)}\n`,
      );
    });
  },
};
