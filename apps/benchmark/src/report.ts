import type { BenchRow } from 'mamba-ts';

/** What `mamba-ts doctor --json` says. */
export interface Machine {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly backends: readonly {
    readonly name: string;
    readonly available: boolean;
    readonly detail: string;
  }[];
}

export interface Report {
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  readonly rows: readonly BenchRow[];
}

/** The report as a page for people. */
export function markdown({ date, machine, rows }: Report): string {
  const { node, platform, processor, cores, memoryBytes, backends } = machine;
  const measured = new Set(rows.map(({ backend }) => backend));
  return `# Benchmark

${date}, Node ${node.replace(/^v/, '')} on ${platform}, ${processor}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB.

${backends
  .map(({ name, available, detail }) => {
    const note = measured.has(name) ? '' : available ? ' (not measured)' : ' (not on this machine)';
    return `- **${name}**${note}: ${detail}`;
  })
  .join('\n')}

${table(
  ['case', 'shape', 'weights', 'backend', 'threads', 'measured', 'unit', 'of the limit'],
  rows.map((row) => [
    row.case,
    row.shape,
    row.dtype,
    row.backend,
    String(row.threads),
    number(row.value),
    row.unit,
    row.share === null || row.limit === null
      ? ''
      : `${(100 * row.share).toFixed(0)} % of ${number(row.limit)}`,
  ]),
)}

The limit is what this machine's arithmetic and memory allow for the same work, measured just before.
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Three digits are what a benchmark is good for. */
function number(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
