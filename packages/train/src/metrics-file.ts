import type { FileHandle } from 'node:fs/promises';
import { nodeModules } from './node.js';

/** Metrics as JSON lines. */
export class MetricsFile {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * Opens the file to append, and first cuts it at the first line that is torn or that `keep` refuses: what a killed run
   * wrote after its last checkpoint will be written again.
   */
  static async open(path: string, keep: (line: Record<string, unknown>) => boolean): Promise<MetricsFile> {
    const { fs } = nodeModules();
    const handle = await fs.open(path, 'a+');
    try {
      const content = await handle.readFile();
      let end = 0;
      for (;;) {
        const newline = content.indexOf('\n', end);
        if (newline < 0) break;
        const line = parse(content.toString('utf8', end, newline));
        if (line === undefined || !keep(line)) break;
        end = newline + 1;
      }
      await handle.truncate(end);
      return new MetricsFile(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async append(line: object): Promise<void> {
    await this.#handle.appendFile(`${JSON.stringify(line)}\n`);
  }

  /** Waits until what was appended is on the disk. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
