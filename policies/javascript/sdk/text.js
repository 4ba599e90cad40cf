/** What Rust takes for white space, and JavaScript does not quite. */

// Unicode's White_Space. JavaScript's own also has U+FEFF, and lacks U+0085.
export const WHITE_SPACE =
    "\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const LEADING = new RegExp(`^[${WHITE_SPACE}]+`);
const OTHER = new RegExp(`[^${WHITE_SPACE}]`);

/**
 * The text without white space around it.
 *
 * @param {string} text
 * @returns {string}
 */
export function trim(text) {
    let end = text.length;
    // A pattern anchored at the end would be tried anew at every blank of a long text.
    while (end > 0 && !OTHER.test(text[end - 1])) {
        end -= 1;
    }
    return text.slice(0, end).replace(LEADING, "");
}
