import { MambaError } from '@mamba-ts/backend';
import type { MambaLM } from '@mamba-ts/model';
import { type EvaluateOptions, evaluateBatches } from './evaluate.js';

export interface TextEvaluation {
  /** Predicted tokens: all but the first, which nothing precedes. */
  tokens: number;
  /** UTF-8 bytes of the whole text. */
  bytes: number;
  /** Total nats / tokens. */
  natsPerToken: number;
  /** Total nats / bytes. With a byte model this is natsPerToken * (bytes - 1) / bytes. */
  natsPerByte: number;
  /** natsPerByte / ln 2 */
  bitsPerByte: number;
  /** exp(natsPerToken) */
  perplexity: number;
}

/**
 * How well a model predicts a text. The text is read once, as one sequence from a zero state: every token but the first is
 * predicted from all tokens before it, however far back. No token is put before the text, and the head's padding columns
 * take part in the softmax, as in the official code.
 *
 * @param text bytes are taken as they are by a byte model, decoded as UTF-8 by any other
 * @throws MambaError `INVALID_ARGUMENT` if the model has no tokenizer or the text has fewer than 2 tokens; `ABORTED`
 */
export async function evaluateText(
  lm: MambaLM,
  text: string | Uint8Array,
  options: EvaluateOptions = {},
): Promise<TextEvaluation> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const ids = tokenize(lm, text, bytes);
  if (ids.length < 2) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      `evaluateText: the text has ${ids.length} tokens; at least 2 are needed`,
    );
  }
  const batch = { ids: [ids.slice(0, -1)], targets: [ids.slice(1)] };
  const { loss: natsPerToken, tokens } = await evaluateBatches(lm, [batch], options);
  const natsPerByte = (natsPerToken * tokens) / bytes.length;
  return {
    tokens,
    bytes: bytes.length,
    natsPerToken,
    natsPerByte,
    bitsPerByte: natsPerByte / Math.LN2,
    perplexity: Math.exp(natsPerToken),
  };
}

function tokenize(lm: MambaLM, text: string | Uint8Array, bytes: Uint8Array): number[] {
  if (lm.config.tokenizer === 'bytes') return Array.from(bytes);
  if (lm.tokenizer === undefined) {
    throw new MambaError(
      'INVALID_ARGUMENT',
      'evaluateText: the model has no tokenizer: put its tokenizer.json beside config.json',
    );
  }
  return lm.tokenizer.encode(typeof text === 'string' ? text : new TextDecoder().decode(bytes));
}
