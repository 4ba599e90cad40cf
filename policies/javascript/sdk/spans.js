/**
 * The strings of a snapshot. They cross as one text, of which the spans count the bytes of UTF-8; a
 * string of JavaScript counts units of UTF-16.
 */

/** @typedef {import("./contract.d.ts").Span} Span */

/**
 * What reads a span.
 *
 * @param {string} text
 * @returns {(span: Span) => string}
 */
export function reader(text) {
    // Of ASCII, as nearly all texts are, both counts are the same.
    if (/^[\x00-\x7f]*$/.test(text)) {
        return ({ offset, length }) => text.slice(offset, offset + length);
    }
    /** @type {Map<number, number>} */
    const units = new Map();
    let bytes = 0;
    let unit = 0;
    for (const character of text) {
        units.set(bytes, unit);
        const point = character.codePointAt(0) ?? 0;
        bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        unit += character.length;
    }
    units.set(bytes, unit);
    return ({ offset, length }) => text.slice(units.get(offset) ?? 0, units.get(offset + length) ?? 0);
}
