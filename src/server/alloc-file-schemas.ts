/** JSON schemas of the file API. Parameters are texts: what they must be is said in the reference's words (`alloc-file-queries.ts`). */
import { exactly, type JsonSchema } from './schemas.ts';

const text: JsonSchema = { type: 'string' };

/** Further parameters are ignored, as the reference does (`region`, `namespace`, ...). */
export const fileApiQuery: JsonSchema = {
  type: 'object',
  additionalProperties: text,
  properties: Object.fromEntries(
    ['path', 'offset', 'limit', 'origin', 'follow', 'plain', 'task', 'type', 'tokens', 'resume'].map((name) => [
      name,
      text,
    ]),
  ),
};
export const fileApiParams: JsonSchema = exactly({ '*': text }, ['*']);

const infoFields = { Name: text, IsDir: { type: 'boolean' }, Size: { type: 'integer' }, FileMode: text, ModTime: text };
export const fileInfoAnswer: JsonSchema = exactly({ ...infoFields, ContentType: text }, ['ContentType']);
