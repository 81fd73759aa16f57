import { useMemo } from 'preact/hooks';
import { short } from '../format.js';
import type { ModelFacts } from '../protocol.js';
import { type Axis, Plot, path } from './plot.js';

const BINS = 72;
const TOKENS: Axis = { min: 0.1, max: 1e4, log: true, ticks: [0.1, 1, 10, 100, 1e3, 1e4], format: short };

/** Shares of the values in each of `BINS` bins, evenly wide on the logarithmic axis. */
export function histogram(values: Float64Array): number[] {
  const bins = new Array<number>(BINS).fill(0);
  const [low, high] = [Math.log(TOKENS.min), Math.log(TOKENS.max)];
  for (const value of values) {
    const place = ((Math.log(value) - low) / (high - low)) * BINS;
    bins[Math.min(BINS - 1, Math.max(0, Math.floor(place)))]! += 1 / values.length;
  }
  return bins;
}

/** Centre of a bin, in tokens. */
function centre(bin: number): number {
  return TOKENS.min * (TOKENS.max / TOKENS.min) ** ((bin + 0.5) / BINS);
}

/** How long the states of each layer remember, read off the weights: a ridge a layer. */
export function HalfLives({ facts }: { readonly facts: ModelFacts }) {
  const rows = useMemo(() => facts.halfLives.map(histogram), [facts]);
  const top = Math.max(...rows.flat());
  const layers: Axis = {
    min: facts.layers + 0.3,
    max: -0.9,
    ticks: rows.map((_, i) => i + 1),
    format: (layer) => `layer ${layer}`,
  };
  return (
    <figure>
      <figcaption>
        <b>What it remembers.</b> Half-life of each of the {facts.halfLives[0]!.length.toLocaleString('en')}{' '}
        states of every layer, in tokens, where the input leaves Δ alone. The input can also hold a state or
        wipe it: that is the selection.
      </figcaption>
      <Plot
        title="Half-lives of the states of each layer"
        x={TOKENS}
        y={layers}
        xLabel="tokens until half is forgotten"
        height={260}
      >
        {(x, y) =>
          rows.map((row, i) => {
            const ridge = row.map((share, bin) => [x(centre(bin)), y(i + 1 - (1.7 * share) / top)] as const);
            const base = y(i + 1);
            return (
              <path
                class="ridge"
                key={i}
                d={path([[x(TOKENS.min), base], ...ridge, [x(TOKENS.max), base]])}
              />
            );
          })
        }
      </Plot>
    </figure>
  );
}
