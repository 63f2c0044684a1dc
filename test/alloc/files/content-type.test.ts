import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentTypeOf } from '../../../src/alloc/files/content-type.ts';

const PLAIN = 'text/plain; charset=utf-8';

/** DetectContentType of the reference, and what is told apart besides. */
const ROWS: readonly (readonly [name: string, head: string, type: string])[] = [
  ['image.gif', 'GIF89a\x01\x00\x01\x00', 'image/gif'],
  ['image.jpg', '\xff\xd8\xff\xe0\x00\x10JFIF', 'image/jpeg'],
  ['image.png', '\x89PNG\r\n\x1a\n\x00\x00', 'image/png'],
  ['test.bin', '\x00\x7f\x01\x02\x03\xff', 'application/octet-stream'],
  ['test.json', '{"test": 1}', 'application/json'],
  ['test.JSON', '\x00', 'application/json'],
  ['test.txt', 'text\n', PLAIN],
  ['test.go', 'package main\n', PLAIN],
  ['test.hcl', 'job "web" {}\n', PLAIN],
  ['empty', '', PLAIN],
  ['latin', 'caf\xe9\t\x1b[1m', PLAIN],
  ['page', ' \n<!doctype html><p>', 'text/html; charset=utf-8'],
  ['page', '<script>alert(1)</script>', 'text/html; charset=utf-8'],
  ['page', '<scripture>', PLAIN],
  ['page', '<!-- comment', 'text/html; charset=utf-8'],
  ['data.xml', '<?xml version="1.0"?>', 'text/xml; charset=utf-8'],
  ['a.tar.gz', '\x1f\x8b\x08\x00', 'application/x-gzip'],
  ['a.zip', 'PK\x03\x04', 'application/zip'],
  ['a.pdf', '%PDF-1.7', 'application/pdf'],
  ['a.webp', 'RIFF\x10\x00\x00\x00WEBPVP8 ', 'image/webp'],
  ['a.mp4', '\x00\x00\x00\x20ftypisom', 'video/mp4'],
  ['a.wasm', '\x00asm\x01\x00\x00\x00', 'application/wasm'],
  ['bom', '\xef\xbb\xbfx', PLAIN],
  ['bom', '\xfe\xffx\x00', 'text/plain; charset=utf-16be'],
  ['short', 'GIF8', PLAIN],
];

for (const [name, head, type] of ROWS) {
  test(`${JSON.stringify(head)} in ${name} is ${type}`, () => {
    assert.equal(contentTypeOf(name, Buffer.from(head, 'latin1')), type);
  });
}

test('only the first 512 bytes are looked at', () => {
  assert.equal(contentTypeOf('x', Buffer.concat([Buffer.alloc(512, 'a'), Buffer.of(0)])), PLAIN);
  assert.equal(contentTypeOf('x', Buffer.concat([Buffer.alloc(511, 'a'), Buffer.of(0)])), 'application/octet-stream');
});
