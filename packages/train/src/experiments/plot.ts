export interface Point {
  x: number;
  y: number;
  /** Least and greatest value over the seeds. */
  low?: number | undefined;
  high?: number | undefined;
}

export interface Series {
  label: string;
  points: readonly Point[];
}

export interface LineChart {
  title: string;
  xLabel: string;
  yLabel: string;
  /** `log2` for lengths, which are powers of two. */
  xScale: 'linear' | 'log2';
  /** y runs from 0 to here. */
  yMax: number;
  series: readonly Series[];
  /** A dashed level line. */
  baseline?: { y: number; label: string } | undefined;
}

const WIDTH = 720;
const HEIGHT = 400;
const PLOT = { left: 64, top: 44, right: 560, bottom: 344 };
/** Okabe and Ito's colours, which colour-blind readers tell apart; black is for text. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** A line chart as a standalone SVG, on white so that it reads on any page. The band of a series is its spread over seeds. */
export function lineChart(chart: LineChart): string {
  const { title, xLabel, yLabel, yMax, series, baseline } = chart;
  const { left, top, right, bottom } = PLOT;
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const scale = chart.xScale === 'log2' ? Math.log2 : (x: number) => x;
  const from = scale(Math.min(...xs));
  const to = scale(Math.max(...xs));
  const px = (x: number) => round(left + ((right - left) * (scale(x) - from)) / (to - from || 1));
  const py = (y: number) => round(bottom - ((bottom - top) * y) / yMax);

  const parts: string[] = [`<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`];
  parts.push(text(WIDTH / 2, 24, title, 'middle', 15));
  for (const y of [0, 0.25, 0.5, 0.75, 1].map((share) => share * yMax)) {
    parts.push(
      `<path d="M${left} ${py(y)}H${right}" stroke="#ddd"/>`,
      text(left - 8, py(y) + 4, String(y), 'end'),
    );
  }
  for (const x of chart.xScale === 'log2' ? powers(from, to) : linearTicks(from, to)) {
    const label = chart.xScale === 'log2' ? `2${superscript(Math.log2(x))}` : String(x);
    parts.push(`<path d="M${px(x)} ${bottom}v5" stroke="#000"/>`, text(px(x), bottom + 20, label, 'middle'));
  }
  parts.push(
    `<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="#000"/>`,
    text((left + right) / 2, HEIGHT - 14, xLabel, 'middle'),
    `<g transform="rotate(-90 18 ${(top + bottom) / 2})">${text(18, (top + bottom) / 2, yLabel, 'middle')}</g>`,
  );
  if (baseline) {
    const y = py(baseline.y);
    parts.push(
      `<path d="M${left} ${y}H${right}" stroke="#666" stroke-dasharray="4 4"/>`,
      text(right + 12, y + 4, baseline.label, 'start'),
    );
  }
  for (const [i, { label, points }] of series.entries()) {
    const colour = COLOURS[i % COLOURS.length]!;
    const line = (at: (point: Point) => number) => points.map((point) => `${px(point.x)} ${py(at(point))}`);
    const highs = line(({ y, high = y }) => high);
    const lows = line(({ y, low = y }) => low).reverse();
    parts.push(
      `<path d="M${[...highs, ...lows].join('L')}Z" fill="${colour}" fill-opacity="0.18"/>`,
      `<path d="M${line(({ y }) => y).join('L')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...(points.length <= 32
        ? points.map(({ x, y }) => `<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${colour}"/>`)
        : []),
    );
    const y = top + 10 + 22 * i;
    parts.push(
      `<path d="M${right + 14} ${y}h18" stroke="${colour}" stroke-width="3"/>`,
      text(right + 38, y + 4, label, 'start'),
    );
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">\n` +
    `<title>${escapeXml(title)}</title>\n${parts.join('\n')}\n</svg>\n`
  );
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', size?: number) {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${size ? ` font-size="${size}"` : ''}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

/** Tenths of a pixel are enough, and keep the file the same wherever it is made. */
function round(x: number): number {
  return Math.round(10 * x) / 10;
}

/** Every power of two in the range; every second one where they would not fit. */
function powers(from: number, to: number): number[] {
  const step = to - from > 16 ? 2 : 1;
  const found: number[] = [];
  for (let power = Math.ceil(from); power <= to; power += step) found.push(2 ** power);
  return found;
}

/** About five round numbers. */
function linearTicks(from: number, to: number): number[] {
  const rough = (to - from) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5, 10].find((factor) => factor * unit >= rough) ?? 10);
  const found: number[] = [];
  for (let x = Math.ceil(from / step) * step; x <= to; x += step) found.push(x);
  return found;
}

function superscript(n: number): string {
  return [...String(n)].map((digit) => SUPERSCRIPTS[Number(digit)]).join('');
}
