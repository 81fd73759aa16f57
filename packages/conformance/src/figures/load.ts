import type { HostTensor } from '../host.js';
import { readSafetensors, type SafetensorsFile } from './safetensors.js';

/**
 * The groups of figures in this package, all computed by the official code (torch 1.13 on a CPU), in f64 unless said.
 *
 * - `selective-scan`, `causal-conv1d`, `state-update`: the ops, with gradients. State-spaces/mamba, Dao-AILab/causal-conv1d.
 * - `s4d`: diagonal S4 kernels, convolutions and last states, zero-order hold and bilinear. State-spaces/s4.
 * - `mamba-block`: the mixer with its projections: forward, gradients, and stepped token by token (f32).
 * - `tiny-mamba`: a language model of two layers: logits, loss, hidden states, gradients; greedy ids, their logits and
 *   the states after the prompt (f32). Its weights are in `fixtureFolder('tiny-mamba')`.
 */
export type FixtureName =
  | 'selective-scan'
  | 'causal-conv1d'
  | 'state-update'
  | 's4d'
  | 'mamba-block'
  | 'tiny-mamba';

/** A case's parameters, as the official code was given them (`softplus`, `activation`, `discretization`, ...). */
export type FixtureCase = { readonly name: string } & Readonly<Record<string, unknown>>;

export interface Fixture {
  readonly cases: readonly FixtureCase[];
  /**
   * `<case>/<tensor>`, for example `c012/inputs.u` (`tiny-mamba` has one case, and no prefix). In the layouts of
   * @mamba-ts/backend: channels last, states [B, D, N] and [B, W-1, D]; weights of models as in their state dict.
   */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** One case's tensors, by their names without the prefix. */
  tensorsOf(name: string): ReadonlyMap<string, HostTensor>;
}

/** The folders of the tiny language model in both namings: `config.json` and `model.safetensors`. */
export function fixtureFolder(name: 'tiny-mamba' | 'tiny-mamba-hf'): URL {
  // A bundler would take the template for a file of its own: Vite gives a wrong address for a folder.
  return new URL(/* @vite-ignore */ `../../fixtures/${name}/`, import.meta.url);
}

/** Reads one group, from a file in Node and over fetch in a browser. */
export async function fixture(name: FixtureName): Promise<Fixture> {
  const url = new URL(/* @vite-ignore */ `../../fixtures/${name}.safetensors`, import.meta.url);
  const { tensors, metadata } = await readFixture(url);
  return {
    cases: JSON.parse(metadata['cases'] as string),
    tensors,
    tensorsOf(prefix) {
      const found = [...tensors].filter(([key]) => key.startsWith(`${prefix}/`));
      if (found.length === 0) throw new RangeError(`fixture ${name}: there is no case "${prefix}"`);
      return new Map(found.map(([key, tensor]) => [key.slice(prefix.length + 1), tensor]));
    },
  };
}

/** Any safetensors file of this package. */
export async function readFixture(url: URL): Promise<SafetensorsFile> {
  return readSafetensors(await read(url));
}

async function read(url: URL): Promise<Uint8Array> {
  if (url.protocol === 'file:') {
    // Not `import('node:fs/promises')`: bundlers for browsers resolve that too, and most refuse it.
    return process.getBuiltinModule('node:fs/promises').readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`fixture ${url}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
