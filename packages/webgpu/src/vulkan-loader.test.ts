import { expect, test } from 'vitest';
import { type Files, mayHaveVulkan } from './vulkan-loader.js';

const files = (content: Record<string, string>): Files => ({
  exists: (path) => path in content,
  read: (path) => {
    if (!(path in content)) throw new Error('ENOENT');
    return new TextEncoder().encode(content[path]);
  },
});
const cache = (...names: string[]) => ({ '/etc/ld.so.cache': `glibc-ld.so.cache1.1\0${names.join('\0')}\0` });

test.each([
  ['known to ldconfig', 'linux', undefined, cache('libc.so.6', 'libvulkan.so.1'), true],
  ['not known to ldconfig', 'linux', undefined, cache('libc.so.6'), false],
  ['in LD_LIBRARY_PATH', 'linux', '/opt/a:/opt/b', { ...cache(), '/opt/b/libvulkan.so.1': '' }, true],
  ['LD_LIBRARY_PATH without it', 'linux', ':/opt/a', cache('libc.so.6'), false],
  ['no cache to ask', 'linux', undefined, {}, true],
  ['Metal', 'darwin', undefined, {}, true],
  ['D3D', 'win32', undefined, {}, true],
])('%s', (_, platform, libraryPath, content, expected) => {
  expect(mayHaveVulkan(platform, libraryPath, files(content as Record<string, string>))).toBe(expected);
});
