import { describe, expect, it } from 'vitest';
import { lineChart } from './plot.js';

const chart = {
  title: 'a < b & c',
  xLabel: 'tokens',
  yLabel: 'accuracy, %',
  xScale: 'log2',
  yMax: 100,
  series: [
    {
      label: 's6',
      points: [
        { x: 64, y: 100 },
        { x: 256, y: 50, low: 25, high: 75 },
      ],
    },
    { label: 's4d', points: [{ x: 64, y: 0 }] },
  ],
  baseline: { y: 25, label: 'chance' },
} as const;

/** Coordinates of every circle of a colour. */
const circles = (svg: string, colour: string) =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="3" fill="(#\w+)"/g)]
    .filter(([, , , fill]) => fill === colour)
    .map(([, x, y]) => [Number(x), Number(y)]);

describe('lineChart', () => {
  const svg = lineChart(chart);

  it('is well-formed, and the same each time', () => {
    const open: string[] = [];
    for (const [, close, name, selfClosing] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name);
      else if (!selfClosing) open.push(name!);
    }
    expect(open).toEqual([]);
    expect(svg).toContain('<title>a &lt; b &amp; c</title>');
    expect(lineChart(chart)).toBe(svg);
  });

  it('puts points where the axes say', () => {
    const [[left, top], [right, middle]] = circles(svg, '#0072b2') as [[number, number], [number, number]];
    const [[, bottom]] = circles(svg, '#d55e00') as [[number, number]];
    expect(right).toBeGreaterThan(left);
    expect(middle).toBeCloseTo((top + bottom) / 2, 1);
    // The chart's own frame: 0 at the bottom axis, 100 at the top.
    expect([left, top, right, bottom]).toEqual([64, 44, 560, 344]);
  });

  it('draws the spread as a band, the baseline dashed, and names everything', () => {
    // From 75 % down to 25 %: 119 and 269 of 44 to 344.
    expect(svg).toContain('M64 44L560 119L560 269L64 44Z');
    expect(svg).toMatch(/M64 269H560" stroke="#666" stroke-dasharray/);
    for (const label of ['s6', 's4d', 'chance', 'tokens', 'accuracy, %', '2⁶', '2⁸'])
      expect(svg).toContain(`>${label}<`);
  });

  it('labels a linear axis with round numbers', () => {
    const points = [1, 4000].map((x) => ({ x, y: 10 }));
    const linear = lineChart({
      ...chart,
      xScale: 'linear',
      series: [{ label: 'a', points }],
      baseline: undefined,
    });
    for (const label of ['1000', '2000', '3000', '4000']) expect(linear).toContain(`>${label}<`);
    expect(linear).not.toContain('dasharray');
  });
});
