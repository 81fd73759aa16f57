const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `190 KiB` */
export function bytes(count: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, count)) / 10)));
  const value = count / 1024 ** power;
  return `${value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3))} ${UNITS[power]}`;
}

/** `1`, `1 k`, `10 M`: for the ticks of an axis. */
export function short(count: number): string {
  if (count >= 1e6) return `${count / 1e6} M`;
  return count >= 1e3 ? `${count / 1e3} k` : String(count);
}
