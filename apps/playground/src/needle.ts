import { Random } from '@mamba-ts/ssm';
import { inductionHeads } from '@mamba-ts/train';
import { type Backend, MambaLM } from 'mamba-ts';
import config from 'mamba-ts/models/induction-heads/config.json?raw';
import weights from 'mamba-ts/models/induction-heads/model.safetensors?url';
import { fetchBytes } from './fetch-bytes.js';
import type { Answer } from './protocol.js';

/** Tokens read at a time: often enough to show how far it is, and to stop. */
const PIECE = 1 << 14;
/** Symbols shown on either side of the place. */
const AROUND = 3;

/**
 * The induction heads task, asked of the model that comes with mamba-ts: among many symbols stands a special one, and at the
 * end it stands again. What followed it?
 */
export class Needle {
  readonly #lm: MambaLM;

  constructor(lm: MambaLM) {
    this.#lm = lm;
  }

  static async load(backend: Backend): Promise<Needle> {
    const files = {
      'config.json': new TextEncoder().encode(config),
      'model.safetensors': await fetchBytes(weights),
    };
    return new Needle(await MambaLM.fromPretrained(files, { backend }));
  }

  /**
   * @param onRead called with the tokens read so far; returns whether to go on
   * @returns undefined if it was not to go on
   */
  async ask(length: number, seed: number, onRead: (read: number) => boolean): Promise<Answer | undefined> {
    const lm = this.#lm;
    const { ids, answers } = inductionHeads().example(new Random(seed), length);
    const place = ids.indexOf(ids.at(-1)!);
    const state = lm.createState();
    try {
      const begin = performance.now();
      let said = -1;
      for (let from = 0; from < length; from += PIECE) {
        const { logits } = await lm.prefill(ids.slice(from, from + PIECE), state);
        const last = from + PIECE >= length ? await logits.data() : undefined;
        logits.dispose();
        if (last) said = last.indexOf(Math.max(...last));
        else if (!onRead(from + PIECE)) return undefined;
      }
      return {
        length,
        place,
        around: ids.slice(Math.max(0, place - AROUND), place + 2 + AROUND),
        truth: answers[0]!,
        said,
        seconds: (performance.now() - begin) / 1e3,
        stateBytes: state.bytes,
      };
    } finally {
      state.dispose();
    }
  }
}
