import type { MambaLM } from '../lm.js';
import type { GenerateOptions } from './options.js';
import { isBatch, type Prompt } from './prompts.js';
import type { FinishReason } from './text-stream.js';

/** A finished row. */
export interface Completion {
  /** Without the prompt and without the stop text. */
  readonly text: string;
  /** All that were generated, an EOS token included. */
  readonly tokens: readonly number[];
  /** Of each token. */
  readonly logprobs: readonly number[];
  readonly finishReason: FinishReason;
}

export async function complete(
  lm: MambaLM,
  prompt: Prompt | readonly Prompt[],
  options: GenerateOptions,
): Promise<Completion | Completion[]> {
  const rows = Array.from({ length: isBatch(prompt) ? prompt.length : 1 }, () => ({
    text: '',
    tokens: [] as number[],
    logprobs: [] as number[],
    finishReason: 'length' as FinishReason,
  }));
  for await (const { text, token, logprob, row = 0, finishReason } of lm.generate(prompt, options)) {
    const into = rows[row]!;
    into.text += text;
    into.tokens.push(token);
    into.logprobs.push(logprob);
    if (finishReason) into.finishReason = finishReason;
  }
  return isBatch(prompt) ? rows : rows[0]!;
}
