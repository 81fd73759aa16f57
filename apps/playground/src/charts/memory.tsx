import { kvCacheBytes } from 'mamba-ts';
import { bytes, short } from '../format.js';
import type { ModelFacts } from '../protocol.js';
import { type Axis, Plot, path } from './plot.js';

interface MemoryProps {
  readonly facts: ModelFacts;
  readonly stateBytes: number;
  /** Tokens read so far. */
  readonly position: number;
}

const TOKENS: Axis = { min: 1, max: 1e6, log: true, ticks: [1, 1e2, 1e4, 1e6], format: short };
const BYTES: Axis = {
  min: 2 ** 10,
  max: 2 ** 33,
  log: true,
  ticks: [10, 20, 30].map((n) => 2 ** n),
  format: bytes,
};

/** What this model remembers with, beside what a transformer would. */
export function Memory({ facts, stateBytes, position }: MemoryProps) {
  const cache = (tokens: number) => kvCacheBytes(facts.dModel, facts.layers, tokens);
  const now = Math.max(1, position);
  return (
    <figure>
      <figcaption>
        <b>Memory.</b> The state is <b class="mamba">{bytes(stateBytes)}</b> whatever the length. A
        transformer's KV cache of equal width, after {now.toLocaleString('en')}{' '}
        {now === 1 ? 'token' : 'tokens'}: <b class="cache">{bytes(cache(now))}</b>.
      </figcaption>
      <Plot
        title="Bytes of memory by length of the text"
        x={TOKENS}
        y={BYTES}
        xLabel="tokens read"
        height={190}
      >
        {(x, y) => (
          <>
            <path class="line cache" d={path([1, 1e6].map((n) => [x(n), y(cache(n))] as const))} />
            <path class="line mamba" d={path([1, 1e6].map((n) => [x(n), y(stateBytes)] as const))} />
            <circle class="dot cache" cx={x(now)} cy={y(cache(now))} r="4" />
            <circle class="dot mamba" cx={x(now)} cy={y(stateBytes)} r="4" />
            <text class="note mamba" x={x(1.6)} y={y(stateBytes) - 7}>
              state
            </text>
            <text class="note cache" x={x(3e4)} y={y(cache(3e4)) - 12} text-anchor="end">
              KV cache
            </text>
          </>
        )}
      </Plot>
    </figure>
  );
}
