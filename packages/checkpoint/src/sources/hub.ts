import { MambaError } from '@mamba-ts/backend';
import { type HttpOptions, HttpSource } from './http.js';

export interface HubOptions extends HttpOptions {
  /** A branch, tag or commit. Default: `main`. */
  revision?: string | undefined;
  /** Default: `https://huggingface.co`. */
  endpoint?: string | undefined;
  /** An access token, for private and gated models. */
  token?: string | undefined;
}

/** Whether a text has the form of a Hugging Face id: `owner/name`. */
export function isHubId(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text) && !text.includes('..');
}

/**
 * A model on the Hugging Face Hub, or on a mirror with its layout: `{endpoint}/{id}/resolve/{revision}/{file}`.
 *
 * @param id `owner/name`
 * @throws MambaError `INVALID_ARGUMENT` where the id is none
 */
export function hubSource(id: string, options: HubOptions = {}): HttpSource {
  if (!isHubId(id)) {
    throw new MambaError('INVALID_ARGUMENT', `${JSON.stringify(id)} is not a Hugging Face id ("owner/name")`);
  }
  const { revision = 'main', endpoint = 'https://huggingface.co', token, ...http } = options;
  const headers = { ...http.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  const base = `${endpoint.replace(/\/+$/, '')}/${id}/resolve/${encodeURIComponent(revision)}/`;
  return new HttpSource(base, { ...http, headers }, `Hugging Face model ${id} (${revision})`);
}
