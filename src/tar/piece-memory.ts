/**
 * Memory for the pieces of an archive on their way to whoever receives it. New memory costs more than filling it (every page of it is a
 * fault), so who knows when a piece has been taken may give its memory back for a later one.
 */
export const PIECE_BYTES = 524_288;

/** Memory of PIECE_BYTES that nobody else has, with anything in it. */
export type TakePiece = () => Buffer;

export const takeNewPiece: TakePiece = () => Buffer.allocUnsafeSlow(PIECE_BYTES);
