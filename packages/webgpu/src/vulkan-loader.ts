/*
 * Dawn for Node looks for Vulkan on Linux, and where the loader is missing it writes a warning of its own to stderr, past
 * everything that JavaScript could do about it. So whether the loader is there is asked first, as ld.so would: the folders
 * of LD_LIBRARY_PATH, then the cache of ldconfig.
 */

const LOADER = 'libvulkan.so.1';

/** What is asked of Node; tests hand in their own. */
export interface Files {
  exists(path: string): boolean;
  /** Throws where there is no such file. */
  read(path: string): Uint8Array;
}

/** False only where it is certain that Dawn would find no Vulkan: a Linux whose ldconfig knows of no loader. */
export function mayHaveVulkan(platform: string, libraryPath: string | undefined, files: Files): boolean {
  if (platform !== 'linux') return true;
  const folders = (libraryPath ?? '').split(':').filter(Boolean);
  if (folders.some((folder) => files.exists(`${folder}/${LOADER}`))) return true;
  try {
    return new TextDecoder('latin1').decode(files.read('/etc/ld.so.cache')).includes(LOADER);
  } catch {
    // No cache (musl, NixOS): let Dawn try.
    return true;
  }
}
