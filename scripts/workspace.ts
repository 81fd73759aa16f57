import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export interface WorkspacePackage {
  readonly folder: string;
  readonly manifest: {
    name: string;
    version: string;
    private?: boolean;
    exports?: unknown;
    bin?: unknown;
    /** What a page may download of it at most, in bytes. */
    maxGzipBytes?: number;
  };
}

/** Every package and app of the workspace. */
export function workspacePackages(): WorkspacePackage[] {
  return ['packages', 'apps']
    .filter((group) => existsSync(join(root, group)))
    .flatMap((group) => readdirSync(join(root, group)).map((name) => join(root, group, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }));
}
