import { defineConfig } from 'vite';

// Cross-origin isolated: without these two, browsers give no SharedArrayBuffer and the wasm backend has one thread.
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  // Served from any folder of a web server.
  base: './',
  server: { headers },
  preview: { headers },
  worker: { format: 'es' },
  // Weights and kernels stay files of their own.
  build: { target: 'es2023', assetsInlineLimit: 0 },
});
