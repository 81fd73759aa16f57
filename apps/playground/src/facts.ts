import type { MambaLM } from '@mamba-ts/model';
import { halfLives } from '@mamba-ts/ssm';
import type { ModelFacts } from './protocol.js';

/** Reads from a model's own weights how long it remembers. */
export async function modelFacts(lm: MambaLM): Promise<ModelFacts> {
  const { nLayer, dModel } = lm.config;
  const parameters = lm.parameters();
  let count = 0;
  for (const { shape } of parameters.values()) count += shape.reduce((a, b) => a * b, 1);
  const layers = await Promise.all(
    Array.from({ length: nLayer }, async (_, i) => {
      const read = async (name: string) =>
        Float64Array.from(await parameters.get(`backbone.layers.${i}.mixer.${name}`)!.data());
      return layerHalfLives(await read('A_log'), await read('dt_proj.bias'));
    }),
  );
  const state = lm.createState();
  const { bytes } = state;
  state.dispose();
  return { parameters: count, dModel, layers: nLayer, stateBytes: bytes, halfLives: layers };
}

/**
 * Tokens until each state of a layer has forgotten half, where the input leaves the step size at its bias:
 * Δ = softplus(bias), h decays by exp(ΔA) a token. (The input can make a token count for nothing, or wipe a state at once:
 * that is the selection.)
 * @param aLog [D, N], A = -exp(aLog)
 * @param dtBias [D]
 */
export function layerHalfLives(aLog: Float64Array, dtBias: Float64Array): Float64Array {
  const states = aLog.length / dtBias.length;
  const times = halfLives(aLog.map((a) => -Math.exp(a)));
  return times.map((time, i) => time / Math.log1p(Math.exp(dtBias[Math.floor(i / states)]!)));
}
