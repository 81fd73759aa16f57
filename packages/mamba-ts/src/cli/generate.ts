import { MambaError } from '@mamba-ts/backend';
import type { MambaLM } from '@mamba-ts/model';
import { JSON_OPTION, MODEL_OPTIONS, withModel } from './model.js';
import type { Values } from './options.js';
import { readFile } from './read-file.js';
import type { Io, Verb } from './verb.js';

export const SAMPLING_OPTIONS = {
  'max-tokens': { kind: 'integer', help: 'tokens to generate', min: 1, fallback: 256 },
  temperature: { kind: 'number', help: '0 is greedy', min: 0, fallback: 0.8 },
  'top-k': { kind: 'integer', help: 'keep the K most probable tokens; 0 keeps all', min: 0, fallback: 0 },
  'top-p': {
    kind: 'number',
    help: 'keep the most probable tokens that sum up to P',
    min: 0,
    max: 1,
    fallback: 1,
  },
  'min-p': {
    kind: 'number',
    help: 'keep tokens at least P times as probable as the most probable',
    min: 0,
    max: 1,
    fallback: 0,
  },
  'repetition-penalty': { kind: 'number', help: 'above 1 discourages what was said', min: 0.01, fallback: 1 },
  seed: { kind: 'integer', help: 'of the sampling: the same seed writes the same text', min: 0, fallback: 1 },
} as const;

/** What `generate --json` prints. */
export interface GenerateResult {
  text: string;
  /** Generated tokens. */
  tokens: number;
  tokensPerSecond: number;
  stateBytes: number;
  backend: string;
}

export const generate: Verb = {
  name: 'generate',
  summary: 'continue a prompt, streaming the text',
  example: 'mamba-ts generate --prompt "ROMEO:" --max-tokens 200 --seed 7',
  options: {
    prompt: { kind: 'text', help: 'what to continue', fallback: '\n' },
    ...SAMPLING_OPTIONS,
    stop: { kind: 'text', help: 'stop before this text' },
    'load-state': { kind: 'text', value: 'FILE', help: 'continue from a saved state' },
    'save-state': { kind: 'text', value: 'FILE', help: 'save the state at the end, to go on from later' },
    ...MODEL_OPTIONS,
    ...JSON_OPTION,
  },
  run: (values, io) =>
    withModel(values, io, async (lm) => {
      const json = values.flag('json');
      const result = await streamText(lm, values, io, json ? () => {} : io.out);
      if (json) io.out(`${JSON.stringify(result)}\n`);
      else
        io.note(
          `\n${result.tokens} tokens, ${result.tokensPerSecond.toFixed(1)} tokens/s on ${result.backend}\n`,
        );
    }),
};

/** Generates with the options of `SAMPLING_OPTIONS`, handing each piece of text to `write` as it comes. */
export async function streamText(
  lm: MambaLM,
  values: Values,
  io: Io,
  write: (text: string) => void,
): Promise<GenerateResult> {
  const { writeFileAtomic } = await import('@mamba-ts/checkpoint');
  if (lm.tokenizer === undefined) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      'the model has no tokenizer: put its tokenizer.json beside config.json',
    );
  }
  const load = values.text('load-state');
  const save = values.text('save-state');
  const state = load === undefined ? lm.createState() : await lm.restoreState(await readFile(load));
  let text = '';
  let tokens = 0;
  let first = 0;
  let last = 0;
  try {
    for await (const piece of lm.generate(values.text('prompt') as string, {
      maxTokens: values.number('max-tokens'),
      temperature: values.number('temperature'),
      topK: values.number('top-k'),
      topP: values.number('top-p'),
      minP: values.number('min-p'),
      repetitionPenalty: values.number('repetition-penalty'),
      seed: values.number('seed'),
      stop: values.text('stop'),
      signal: io.signal,
      state,
    })) {
      last = performance.now();
      if (tokens === 0) first = last;
      tokens++;
      text += piece.text;
      write(piece.text);
    }
    if (save !== undefined) await writeFileAtomic(save, await state.save());
    return {
      text,
      tokens,
      // The first token also pays for the prompt: the rate is that of the tokens after it.
      tokensPerSecond: tokens > 1 ? ((tokens - 1) * 1e3) / (last - first) : 0,
      stateBytes: state.bytes,
      backend: lm.backend.name,
    };
  } catch (error) {
    // The shell's prompt belongs on a line of its own, not after half a sentence.
    if (io.signal.aborted && tokens > 0 && io.isTerminal) io.note('\n');
    throw error;
  } finally {
    state.dispose();
  }
}
