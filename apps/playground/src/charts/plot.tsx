import type { ComponentChildren } from 'preact';

/** From values to places on an axis. */
export interface Axis {
  readonly min: number;
  readonly max: number;
  readonly log?: boolean;
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

interface PlotProps {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly xLabel: string;
  readonly height: number;
  /** Draws inside the axes, with the two scales. */
  readonly children: (x: (value: number) => number, y: (value: number) => number) => ComponentChildren;
}

const WIDTH = 420;
const MARGIN = { left: 62, right: 12, top: 8, bottom: 36 };

/** Axes with ticks, as SVG: all that the drawings of this page need. */
export function Plot({ title, x, y, xLabel, height, children }: PlotProps) {
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const [top, bottom] = [MARGIN.top, height - MARGIN.bottom];
  const sx = scale(x, left, right);
  const sy = scale(y, bottom, top);
  return (
    <svg class="plot" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={title}>
      <title>{title}</title>
      {x.ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={sx(tick)} x2={sx(tick)} y1={top} y2={bottom} />
          <text class="tick" x={sx(tick)} y={bottom + 15} text-anchor="middle">
            {x.format(tick)}
          </text>
        </g>
      ))}
      {y.ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={left} x2={right} y1={sy(tick)} y2={sy(tick)} />
          <text class="tick" x={left - 7} y={sy(tick) + 4} text-anchor="end">
            {y.format(tick)}
          </text>
        </g>
      ))}
      <text class="label" x={(left + right) / 2} y={height - 4} text-anchor="middle">
        {xLabel}
      </text>
      {children(sx, sy)}
    </svg>
  );
}

function scale({ min, max, log = false }: Axis, from: number, to: number): (value: number) => number {
  const place = log ? Math.log : (value: number) => value;
  const span = place(max) - place(min);
  return (value) => from + ((place(value) - place(min)) / span) * (to - from);
}

/** `M x y L x y ...` */
export function path(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join(' ');
}
